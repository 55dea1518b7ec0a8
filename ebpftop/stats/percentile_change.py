"""Percentiles of many histograms in two spans, and the data of each step for testing whether they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.change import Side
from ebpftop.stats.histogram import ranks
from ebpftop.stats.slots import SLOTS, bounds_of


@dataclass(frozen=True, eq=False, slots=True)
class Values:
    """The values of one span: `counts[n]` in a slot of a histogram (row) in a unit of time. units, rows: their
    numbers.
    """

    unit: Array
    row: Array
    slot: Array
    counts: Array
    units: int
    rows: int

    def histograms(self) -> Array:
        """All counts of the span, (rows × slots)."""
        found = np.bincount(self.row * SLOTS + self.slot, self.counts, self.rows * SLOTS)
        return np.asarray(found.astype(np.int64).reshape(self.rows, SLOTS))

    def above(self, limits: Array) -> Side:
        """How many values of each row reach its limit, a slot, in each unit; out of all."""
        place, size = self.unit * self.rows + self.row, self.units * self.rows
        reached = self.slot >= limits[self.row]
        parts = np.bincount(place[reached], self.counts[reached], size)
        wholes = np.bincount(place, self.counts, size)
        return Side(parts.reshape(self.units, self.rows), wholes.reshape(self.units, self.rows))


@dataclass(frozen=True, eq=False, slots=True)
class PercentileChange:
    """A percentile of each row before and after: the bounds of its slot, lo <= v < hi (float64), NaN without values.
    sides: the input of `change.chances`.
    """

    before: tuple[Array, Array]
    after: tuple[Array, Array]
    sides: tuple[Side, Side]

    @property
    def differs(self) -> Array:
        return np.asarray(self.before[0] != self.after[0])


def percentile_changes(a: Values, b: Values, quantiles: Mapping[str, float]) -> dict[str, PercentileChange]:
    """Each quantile by its name. A quantile changed if the share of values above a limit between the two changed. The
    limit is the quantile of both spans together, because most values then contribute.
    """
    before, after = a.histograms(), b.histograms()
    changes = {}
    for name, q in quantiles.items():
        slots = _slots(before, q), _slots(after, q)
        limits = np.clip(_slots(before + after, q), np.minimum(*slots) + 1, np.maximum(*slots))
        changes[name] = PercentileChange(_bounds(before, q), _bounds(after, q), (a.above(limits), b.above(limits)))
    return changes


def _slots(histograms: Array, q: float) -> Array:
    """The slot of a quantile, 0 without values."""
    rank = ranks(histograms.sum(axis=1), q).astype(np.int64)
    return np.asarray((histograms.cumsum(axis=1) < rank[:, np.newaxis]).sum(axis=1))


def _bounds(histograms: Array, q: float) -> tuple[Array, Array]:
    some = histograms.any(axis=1)
    lo, hi = (bound.astype(np.float64) for bound in bounds_of(_slots(histograms, q)))
    lo[~some] = hi[~some] = np.nan
    return lo, hi
