"""How a try to compact memory ended. Source: enum compact_result of linux/compaction.h, named as its events do."""

from __future__ import annotations

_NAMES = [
    "not_suitable_zone",
    "skipped",
    "deferred",
    "no_suitable_page",
    "continue",
    "complete",
    "partial_skipped",
    "contended",
    "success",
]


def name(number: int) -> str:
    """`success`, or the number."""
    return _NAMES[number] if 0 <= number < len(_NAMES) else str(number)
