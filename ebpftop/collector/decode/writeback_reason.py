"""Why changed pages are written. Source: enum wb_reason of linux/backing-dev-defs.h, by the names events use."""

from __future__ import annotations

_NAMES = [
    "background",
    "vmscan",
    "sync",
    "periodic",
    "laptop_timer",
    "fs_free_space",
    "forker_thread",
    "foreign_flush",
]


def name(number: int) -> str:
    """`periodic`, or the number."""
    return _NAMES[number] if 0 <= number < len(_NAMES) else str(number)
