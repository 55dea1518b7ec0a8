"""A histogram over time: columns are steps, rows are slots, and each cell has its counts per second.

Time is divided into cells of equal length, counted from the clock's zero, so that drawn values stay in their cell as
time passes. A step that is longer than a cell is a column of several cells; short steps share a column if their middles
lie in one cell. Columns differ in length, so they are compared by counts per second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebpftop.rows.keys import Array
from ebpftop.stats.histogram import ranks
from ebpftop.stats.slots import SLOTS

NS = 1_000_000_000

_WIDEST = 8  # maximum number of cells of a step
_OWN = 0.75  # of a cell: a step at least this long has its own column
_KEEP = 1.25  # times the required length: a cell's length is kept up to here, because steps vary
_LEAST = 1_000_000  # ns
_DIGITS = 2  # of a step's length: it varies a little
_BARELY = 1.05  # a rate that misses a level by less still has it: 1 in 1.0004 s counts as 1 a second

_SERIES = ((1, 2, 5), (1, 3), (1,))  # round numbers in a power of ten


def cell_length(steps: Array, seconds: float, width: int, before: int = 0) -> int:
    """The width of a cell in ns, such that `seconds` fit into `width` cells. These cells also hold all existing steps,
    or at least one step each. A cell is several steps long, or part of one.

    steps: their lengths in ns. before: the previous width, which is kept as long as it is suitable.
    """
    known = steps[steps > 0]
    step = _rounded(float(np.median(known))) if len(known) else float(NS)
    needed = max(seconds * NS / max(1, width), min(1.0, len(known) / max(1, width)) * step, step / _WIDEST)
    cell = step * math.ceil(needed / step) if needed > step else step / max(1, math.floor(step / needed))
    return before if needed <= before <= _KEEP * cell else max(_LEAST, round(cell))


def _rounded(length: float) -> float:
    return round(length, _DIGITS - 1 - math.floor(math.log10(length)))


def begins(start: Array, end: Array, cell: int) -> npt.NDArray[np.bool_]:
    """Which of the steps begin a column. That depends only on the step before."""
    own = end - start >= _OWN * cell
    place = (start + (end - start) // 2) // cell
    first = np.ones(len(start), bool)
    first[1:] = own[1:] | own[:-1] | (place[1:] != place[:-1])
    first[1:] &= end[1:] > end[:-1]  # a span contains both of two steps with the same end
    return first


@dataclass(frozen=True, eq=False, slots=True)
class Timeline:
    """Columns, oldest first. start, end: ns; the end of each column belongs to it. lasted: observed ns. realtime: of
    the end. of_step: each step's column. cells: the column in each cell on the screen, −1 if there is none.
    """

    start: Array
    end: Array
    lasted: Array
    realtime: Array
    of_step: Array
    cells: Array

    @classmethod
    def of(cls, times: Array, cell: int, width: int) -> Timeline:
        """times: one record a step with these four fields. The last cell contains the end of the last step."""
        start, end = times["start"], times["end"]
        if not len(times):
            return cls(start, end, times["lasted"], times["realtime"], np.zeros(0, np.intp), np.full(width, -1))
        firsts = np.flatnonzero(begins(start, end, cell))
        last = (int(end[-1]) - cell // 2) // cell
        middles = (last + np.arange(1 - width, 1)) * cell + cell // 2
        cells = np.searchsorted(np.append(end[firsts[1:] - 1], end[-1]), middles)
        seen = np.unique(cells[(cells < len(firsts)) & (middles >= start[firsts[0]])])
        if not len(seen):
            seen = np.array([len(firsts) - 1])
        firsts = firsts[np.append(0, seen[:-1] + 1)]  # a column without a cell belongs to the next
        stops = np.append(firsts[1:], len(times)) - 1
        cells = np.searchsorted(np.append(end[stops[:-1]], end[-1]), middles)
        there = (cells < len(firsts)) & (start[firsts][np.minimum(cells, len(firsts) - 1)] <= middles)
        return cls(
            start[firsts],
            end[stops],
            np.add.reduceat(times["lasted"], firsts),
            times["realtime"][stops],
            np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(times)))),
            np.where(there, cells, -1),
        )

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """counts: int64, a row a slot, a column a column of time."""

    time: Timeline
    counts: Array

    @property
    def extent(self) -> tuple[int, int] | None:
        """The first and the last slot with counts."""
        slots = np.flatnonzero(self.counts.any(axis=1))
        return (int(slots[0]), int(slots[-1])) if len(slots) else None

    @property
    def totals(self) -> Array:
        """Counts a column."""
        totals: Array = self.counts.sum(axis=0)
        return totals

    def merged(self, starts: Array) -> Array:
        """Counts by row and column; each row is the slots from one start to the next. The last start is the end."""
        merged: Array = np.add.reduceat(self.counts[: starts[-1]], starts[:-1], axis=0)
        return merged

    def rates(self, counts: Array) -> npt.NDArray[np.float64]:
        """Counts per second, by row and column; NaN if nothing was observed."""
        seconds = self.time.lasted / NS
        rates = np.full(counts.shape, math.nan)
        np.divide(counts, seconds, out=rates, where=seconds > 0)
        return rates

    def quantile(self, q: float) -> Array:
        """The slot with each column's quantile (nearest rank); −1 without counts."""
        running = self.counts.cumsum(axis=0)
        totals = running[-1]
        return np.where(totals > 0, (running >= ranks(totals, q).astype(np.int64)).argmax(axis=0), -1)

    def count(self, first: int, last: int, low: int, high: int) -> tuple[int, int]:
        """Counts in the columns first…last and the slots low…high − 1; and in all slots of these columns."""
        part = self.counts[:, first : last + 1]
        return int(part[low:high].sum()), int(part.sum())


def counted(time: Timeline, parts: Sequence[tuple[Array, Array, Array]]) -> Heatmap:
    """A heatmap from parts (step, slot, count) in any order."""
    counts = np.zeros((SLOTS, len(time)), np.int64)
    for step, slot, count in parts:
        np.add.at(counts, (slot, time.of_step[step]), count)
    return Heatmap(time, counts)


def row_starts(first: int, last: int, at_most: int) -> Array:
    """The first slot of each row, and the end: rows of equal numbers of slots, such that the slots first…last take at
    most `at_most` rows.

    The row boundaries don't depend on the first slot.
    """
    slots = 1
    while last // slots - first // slots >= at_most:
        slots += 1
    return np.minimum(np.arange(first // slots, last // slots + 2) * slots, SLOTS)


def thresholds(rates: npt.NDArray[np.float64], at_most: int) -> list[float]:
    """The lowest rate of each level: round numbers, as close together as the range from the lowest to the greatest rate
    above 0 permits. If that takes too many levels, the lowest level also contains rates below its threshold.
    """
    some = rates[rates > 0]
    if not len(some):
        return []
    low, high = float(some.min()) * _BARELY, float(some.max()) * _BARELY
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for series in _SERIES:
        numbers = [digit * 10.0**power for power in powers for digit in series]
        first = max(at for at, number in enumerate(numbers) if number <= low)
        found = [number for number in numbers[first:] if number <= high]
        if len(found) <= at_most:
            return found
    return found[-at_most:]


def leveled(rates: npt.NDArray[np.float64], least: Sequence[float], levels: int) -> Array:
    """The level of each rate: 0 for none, 1 to `levels`, spread evenly over the thresholds."""
    at = np.searchsorted(np.array(least), np.nan_to_num(rates) * _BARELY, "right")
    at = np.maximum(at, np.where(rates > 0, 1, 0))
    return np.array([0, *(level_of(n, len(least), levels) for n in range(len(least)))])[np.where(rates > 0, at, 0)]


def level_of(threshold: int, of: int, levels: int) -> int:
    """The level at which a threshold begins; the last of the `of` thresholds begins the highest level."""
    return levels - round((of - 1 - threshold) * (levels - 1) / max(1, of - 1)) if of > 1 else (levels + 1) // 2
