"""Differences between two cumulative snapshots of a keyed table, and rates.

Keys must be distinct within a snapshot. A key that wasn't there before counts from zero (a birth); one that vanished is
left out; a count that went down, which a cumulative count can't, becomes 0 and is told as skew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.stats.keys import Array, Keys, columns_of, encode, rows_of


def align(old_keys: Keys, new_keys: Keys) -> npt.NDArray[np.intp]:
    """For each new key its row among the old ones, or -1. Raises ValueError if the numbers of columns differ."""
    old, new = columns_of(old_keys), columns_of(new_keys)
    before, now = rows_of(old_keys), rows_of(new_keys)
    pairs = list(zip(old, new, strict=True))
    if before == now and all(np.array_equal(a, b) for a, b in pairs):
        return np.arange(now)  # a quiet map comes back in the same order
    if not before or not now:
        return np.full(now, -1, np.intp)
    codes = encode([np.concatenate(pair) for pair in pairs])
    old_order, new_order = np.argsort(codes[:before]), np.argsort(codes[before:])
    known, asked = codes[:before][old_order], codes[before:][new_order]  # both sorted: each search starts near the last
    places = np.minimum(np.searchsorted(known, asked), before - 1)
    index = np.empty(now, np.intp)
    index[new_order] = np.where(known[places] == asked, old_order[places], -1)
    return index


def subtract(index: npt.NDArray[np.intp], old_values: Array, new_values: Array) -> tuple[Array, int]:
    """(delta, skew) of one column of numbers over an `align`ed index; skew counts the rows that went down."""
    before = np.zeros_like(new_values)
    known = index >= 0
    before[known] = old_values[index[known]]
    down = new_values < before
    return np.where(down, new_values.dtype.type(0), new_values - before), int(np.count_nonzero(down))


def difference(old_keys: Keys, old_values: Array, new_keys: Keys, new_values: Array) -> tuple[Array, int]:
    """(delta, skew): what each new row gained since the old snapshot, and how many rows went down instead."""
    return subtract(align(old_keys, new_keys), old_values, new_values)


def rates(delta: npt.NDArray[Any], seconds: float) -> npt.NDArray[np.float64]:
    """Per second; NaN where no time has passed, since then nobody knows."""
    if seconds <= 0:
        return np.full(len(delta), np.nan)
    return np.asarray(delta / seconds, np.float64)
