"""Matches rows of one snapshot with those of another by their keys, which are distinct within each; and computes
rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.rows.keys import Keys, columns_of, encode, rows_of


def align(old_keys: Keys, new_keys: Keys) -> npt.NDArray[np.intp]:
    """For each new key, its row among the old ones, or -1. Raises ValueError if the numbers of columns differ."""
    old, new = columns_of(old_keys), columns_of(new_keys)
    before, now = rows_of(old_keys), rows_of(new_keys)
    pairs = list(zip(old, new, strict=True))
    if before == now and all(np.array_equal(a, b) for a, b in pairs):
        return np.arange(now)  # an unchanged map is read in the same order
    if not before or not now:
        return np.full(now, -1, np.intp)
    codes = encode([np.concatenate(pair) for pair in pairs])
    old_order, new_order = np.argsort(codes[:before]), np.argsort(codes[before:])
    known, wanted = (
        codes[:before][old_order],
        codes[before:][new_order],
    )  # both sorted: each search starts near the last
    places = np.minimum(np.searchsorted(known, wanted), before - 1)
    index = np.empty(now, np.intp)
    index[new_order] = np.where(known[places] == wanted, old_order[places], -1)
    return index


def rates(delta: npt.NDArray[Any], seconds: float) -> npt.NDArray[np.float64]:
    """Rates per second; NaN if no time has passed."""
    if seconds <= 0:
        return np.full(len(delta), np.nan)
    return np.asarray(delta / seconds, np.float64)
