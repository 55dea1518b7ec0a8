"""The outcome of a block request. Source: BLK_STS_* of linux/blk_types.h; those above 12 differ between kernels."""

from __future__ import annotations

_NAMES = {
    0: "",
    1: "NOTSUPP",
    2: "TIMEOUT",
    3: "NOSPC",
    4: "TRANSPORT",
    5: "TARGET",
    6: "RESV_CONFLICT",
    7: "MEDIUM",
    8: "PROTECTION",
    9: "RESOURCE",
    10: "IOERR",
    12: "AGAIN",
}


def name(number: int) -> str:
    """`IOERR`, "" for success, or the number."""
    return _NAMES.get(number, str(number))
