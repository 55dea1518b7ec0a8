"""One log-linear histogram: counts, and the bounds of its quantiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.stats.slots import SLOTS, U64, K, bounds, bounds_of, checked, lower, slot_of

Bounds = tuple[int, int]  # lo <= v < hi
Row = tuple[int, int, int]  # lo, hi, how many values with lo <= v < hi
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}  # shown for every histogram
QUANTILE_STEPS = 1_000_000  # quantiles are exact decimals of six digits: 0.07 × 100 is the 7th, not the 8th


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Counts by slot, sparse: `slots` ascending and distinct, `counts` positive, both of one length. See `of`."""

    slots: npt.NDArray[np.intp]
    counts: U64
    _quantiles: dict[float, Bounds | None] = field(default_factory=dict, repr=False)  # cached results

    @classmethod
    def of(cls, slots: npt.ArrayLike, counts: npt.ArrayLike) -> Histogram:
        """A histogram from rows (slot, count) in any order; equal slots are summed. Raises ValueError for an impossible
        slot.
        """
        dense = np.zeros(SLOTS, np.uint64)
        np.add.at(dense, checked(slots), np.asarray(counts, np.uint64))
        return cls._sparse(dense)

    @classmethod
    def sum(cls, histograms: Iterable[Histogram]) -> Histogram:
        """The sum of several histograms."""
        dense = np.zeros(SLOTS, np.uint64)
        for each in histograms:
            dense[each.slots] += each.counts
        return cls._sparse(dense)

    @classmethod
    def _sparse(cls, dense: U64) -> Histogram:
        slots = np.flatnonzero(dense)
        return cls(slots, dense[slots])

    def _dense(self) -> U64:
        dense = np.zeros(SLOTS, np.uint64)
        dense[self.slots] = self.counts
        return dense

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def merge(self, other: Histogram) -> Histogram:
        return self._sparse(self._dense() + other._dense())

    def quantile(self, q: float) -> Bounds | None:
        """Bounds of the ⌈q × count⌉-th smallest value (nearest rank), 0 <= q <= 1. None without values."""
        if q not in self._quantiles:
            self._quantiles[q] = self._quantile(q)
        return self._quantiles[q]

    def _quantile(self, q: float) -> Bounds | None:
        total = self.count
        if not total:
            return None
        (rank,) = ranks(np.array([total], np.uint64), q)
        return bounds(int(self.slots[np.searchsorted(np.cumsum(self.counts), rank)]))

    def maximum(self) -> Bounds | None:
        return bounds(int(self.slots[-1])) if len(self.slots) else None

    def rows(self, at_most: int, finest: int = K) -> list[Row]:
        """Adjacent rows from the smallest to the largest value, at most this many, and as fine as that permits.

        A power of two is split into 2**finest rows, or into fewer, or several powers of two share one row. Row edges
        never depend on the values, so a row keeps its place while counts change.
        """
        if at_most < 1:
            raise ValueError("a histogram has at least one row")
        if not len(self.slots):
            return []
        first, last = int(self.slots[0]), int(self.slots[-1])
        for k in range(min(finest, K), -1, -1):
            row_of = _coarser(k)
            if row_of[last] - row_of[first] < at_most:
                return self._rows(row_of, k, 1)
        octave = _coarser(0)
        width = 2
        while octave[last] // width - octave[first] // width >= at_most:
            width += 1
        return self._rows(octave // width, 0, width)

    def _rows(self, row_of: npt.NDArray[np.intp], k: int, width: int) -> list[Row]:
        mine = row_of[self.slots]
        first = int(mine[0])
        sums = np.zeros(int(mine[-1]) - first + 1, np.uint64)
        np.add.at(sums, mine - first, self.counts)
        end = slot_of(2**64 - 1, k) + 1
        edges = [lower(min(row * width, end), k) for row in range(first, first + len(sums) + 1)]
        return list(zip(edges[:-1], edges[1:], sums.tolist(), strict=True))


def middles(histograms: Sequence[Histogram], q: float) -> list[float]:
    """The middle of the bucket with each histogram's quantile, for a picture of many; NaN for a histogram without
    values.
    """
    lengths = np.array([len(each.slots) for each in histograms], np.intp)
    found = np.full(len(histograms), np.nan)
    some = lengths > 0
    if some.any():
        running = np.cumsum(np.concatenate([each.counts for each in histograms]), dtype=np.uint64)
        until = running[np.cumsum(lengths)[some] - 1]
        totals = np.diff(until, prepend=np.uint64(0))
        rows = np.searchsorted(running, until - totals + ranks(totals, q))
        low, high = bounds_of(np.concatenate([each.slots for each in histograms])[rows])
        found[some] = (low.astype(np.float64) + high.astype(np.float64)) / 2
    return list(found.tolist())


@cache
def _coarser(k: int) -> npt.NDArray[np.intp]:
    """For each of our slots, the slot of a scale with 2**k slots to a power of two that contains it, 0 <= k <= K."""
    return np.array([slot_of(lower(slot), k) for slot in range(SLOTS)], np.intp)


def ranks(totals: npt.NDArray[Any], q: float) -> U64:
    """⌈q × total⌉ for each total, at least 1 for a total above 0, without leaving u64."""
    if not 0 <= q <= 1:
        raise ValueError(f"{q} is not a quantile from 0 to 1")
    steps = np.uint64(QUANTILE_STEPS)
    part = np.uint64(round(q * QUANTILE_STEPS))
    whole, rest = np.divmod(totals.astype(np.uint64), steps)
    rank: U64 = whole * part + (rest * part + steps - np.uint64(1)) // steps
    return np.where(totals > 0, np.maximum(rank, np.uint64(1)), np.uint64(0))
