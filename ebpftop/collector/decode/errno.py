"""Error numbers as the kernel returns them: of either sign, including those internal to the kernel."""

from __future__ import annotations

from ebpftop.base import errnos


def name(number: int) -> str:
    """`ENOENT` for 2 and for -2, "" for 0, else the number."""
    return errnos.NAMES.get(abs(number), str(number)) if number else ""
