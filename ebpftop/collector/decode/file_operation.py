"""Operations on files, as probes/include/ebpftop_file.h numbers it."""

from __future__ import annotations

_NAMES = ["read", "write", "open", "sync"]


def name(number: int) -> str:
    """`read`, or the number."""
    return _NAMES[number] if 0 <= number < len(_NAMES) else str(number)
