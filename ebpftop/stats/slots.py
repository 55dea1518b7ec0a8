"""Log-linear slots: every power of two is split into 2**k equal slots, and values below 2**k have one each.

The same arithmetic runs in the kernel (`ll_slot` in the probes' shared header), with k = K. A slot is then at most
12.5% of its lower bound wide, and SLOTS of them hold every u64. k = 0 means powers of two: 0, 1, 2–3, 4–7, ….
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

K = 3
SLOTS = (64 - K + 1) << K
LIMIT = 1 << 64  # all values are below

U64 = npt.NDArray[np.uint64]


def slot_of(value: int, k: int = K) -> int:
    """The slot of a value, 0 <= value < 2**64. Raises ValueError outside."""
    if not 0 <= value < LIMIT:
        raise ValueError(f"{value} is not a u64")
    exponent = value.bit_length() - 1
    if exponent < k:
        return value
    shift = exponent - k
    return (shift << k) + (value >> shift)


def lower(slot: int, k: int = K) -> int:
    """The smallest value of a slot; 2**64 for the slot after the last. Raises ValueError for a negative slot."""
    if slot < 0:
        raise ValueError(f"slot {slot} is negative")
    if slot < 2 << k:
        return slot
    return (slot & ((1 << k) - 1) | 1 << k) << ((slot >> k) - 1)


def bounds(slot: int, k: int = K) -> tuple[int, int]:
    """(lo, hi) of a slot: its values are lo <= v < hi; hi of the last one is 2**64."""
    return lower(slot, k), lower(slot + 1, k)


_LOWER: U64 = np.array([lower(slot) for slot in range(SLOTS)], np.uint64)
_UPPER: U64 = np.append(_LOWER[1:], np.uint64(LIMIT - 1))


def bounds_of(slots: npt.NDArray[Any]) -> tuple[U64, U64]:
    """`bounds` for an array of slots (k = K). As 2**64 is no u64, hi of the last slot is 2**64 - 1 here."""
    return _LOWER[slots], _UPPER[slots]


def checked(slots: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Slots as indices. Raises ValueError if one is outside 0 … SLOTS - 1."""
    array = np.asarray(slots)
    if array.size and (array.min() < 0 or array.max() >= SLOTS):
        raise ValueError(f"slots reach from {array.min()} to {array.max()}, not within 0 to {SLOTS - 1}")
    return array.astype(np.intp)
