"""Operations of block requests.

Source: enum req_op of linux/blk_types.h. Zone operations are missing, because their numbers changed between kernels.
"""

from __future__ import annotations

_NAMES = {
    0: "read",
    1: "write",
    2: "flush",
    3: "discard",
    5: "secure erase",
    9: "write zeroes",
    34: "driver in",
    35: "driver out",
}


def name(number: int) -> str:
    """`read`, or the number."""
    return _NAMES.get(number, str(number))
