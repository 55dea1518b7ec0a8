"""Events by step and value, and how much the share of each value varies from block to block of steps.

Events of a step aren't independent of each other: a process that reads, reads often. So a share varies more than by
chance alone. The factor is the design effect (Rao & Scott 1992, "A Simple Method for the Analysis of Clustered Binary
Data").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.correlation import block_length, blocks

FEW = 5  # the minimum number of blocks for estimating their variation
_FREQUENT = 64  # values whose correlation is measured
_WINDOWS, _ROOM = 200, 1 << 21  # the maximum number of windows, and of cells of all windows × values


@dataclass(frozen=True, eq=False, slots=True)
class Variation:
    """number: of blocks with events. size: their events, as a weighted average. effects: the design effect of each
    value, at least 1. spread: the squared coefficient of variation of a share beyond chance, of all values together.
    """

    number: int
    size: Array | float
    effects: Array
    spread: float

    def effect(self, share: Array) -> Array:
        """The design effect of values with these shares: their own, or that of the spread if it is larger."""
        together = 1 + self.size * self.spread * share / np.maximum(1 - share, 1e-9)
        return np.asarray(np.maximum(self.effects, together))


@dataclass(frozen=True, eq=False, slots=True)
class Counts:
    """Events in some of the steps. step, value, count: of each cell that has a value. sizes: events a step of all
    values, including those without one. totals: events a value. whole: all events. stretches: the steps, first and
    stop.
    """

    step: Array
    value: Array
    count: Array
    sizes: Array
    totals: Array
    whole: float
    stretches: Sequence[tuple[int, int]]

    @classmethod
    def of(
        cls, cells: tuple[Array, Array, Array], values: int, steps: int, stretches: Sequence[tuple[int, int]]
    ) -> Counts:
        """Counts from cells (step, value or a negative number, count)."""
        step, value, count = cells[0], cells[1], cells[2].astype(np.float64)
        known = value >= 0
        totals = np.bincount(value[known], count[known], values).astype(np.float64)
        sizes = np.bincount(step, count, steps)
        return cls(step[known], value[known], count[known], sizes, totals, float(count.sum()), stretches)

    @property
    def steps(self) -> int:
        return sum(stop - first for first, stop in self.stretches)

    def block_length(self) -> int:
        """The number of steps in a block, from the correlation of the shares of the most frequent values."""
        counts = self._table(self.step, len(self.sizes), self.frequent(_FREQUENT))
        series = []
        for first, stop in self.stretches:
            part, sizes = counts[first:stop], self.sizes[first:stop]
            if sizes.any():
                series.append(part - np.outer(sizes, part.sum(axis=0) / sizes.sum()))
        return block_length(series)

    def variation(self, length: int) -> Variation:
        """The variation between blocks of about this many steps."""
        width = len(self.totals)
        found, expected, squared = np.zeros(width), np.zeros(width), np.zeros(width)
        squares, number = 0.0, 0
        for first, stop in self.stretches:
            block = np.full(len(self.sizes), -1)
            block[first:stop] = blocks(stop - first, length)
            sizes = np.bincount(block[first:stop], self.sizes[first:stop])
            filled = int(np.count_nonzero(sizes))
            squares += float((sizes**2).sum())
            number += filled
            if filled < 2:
                continue
            mine = block[self.step] >= 0
            place, count = _summed(block[self.step[mine]] * width + self.value[mine], self.count[mine])
            at, value = np.divmod(place, width)
            share = np.bincount(value, count, width) / sizes.sum()
            residual = np.bincount(value, count**2 - 2 * count * sizes[at] * share[value], width)
            found += (residual + share**2 * (sizes**2).sum()) * filled / (filled - 1)
            expected += sizes.sum() * share * (1 - share)
            squared += share**2 * (sizes**2).sum()
        effects = np.divide(found, expected, out=np.ones(width), where=expected > 0)
        spread = max(0.0, float((found - expected).sum() / squared.sum())) if squared.any() else 0.0
        return Variation(number, squares / max(1.0, self.whole), np.maximum(effects, 1), spread)

    def windows(self, length: int) -> tuple[Array, Array, Array]:
        """(values, windows × values, all events of each window): spans of about this many steps, each beginning in the
        middle of the one before. If there are very many values, only the most frequent ones.
        """
        half = max(1, length // 2)
        part, parts = np.full(len(self.sizes), -1), 0
        follows = []
        for first, stop in self.stretches:
            number = (stop - first) // half
            part[first : first + number * half] = parts + np.arange(number * half) // half
            follows.append(np.arange(parts, parts + number - (length > 1)))
            parts += number
        starts = np.concatenate(follows) if follows else np.zeros(0, np.int64)
        values = self.frequent(_ROOM // max(1, parts))
        counts = self._table(part[self.step], parts, values)
        sizes = np.bincount(part[part >= 0], self.sizes[part >= 0], parts)
        most = min(_WINDOWS, max(2 * FEW, _ROOM // max(1, len(values))))
        starts = starts[:: max(1, -(-len(starts) // most))]
        if length == 1:
            return values, counts[starts], sizes[starts]
        return values, counts[starts] + counts[starts + 1], sizes[starts] + sizes[starts + 1]

    def frequent(self, most: int) -> Array:
        """The most frequent values, at most this many."""
        return np.sort(np.argsort(-self.totals, kind="stable")[:most])

    def _table(self, row: Array, rows: int, values: Array) -> Array:
        """The counts, rows × values, of cells in rows from 0 on."""
        column = np.full(len(self.totals), -1)
        column[values] = np.arange(len(values))
        columns = column[self.value]
        some = (row >= 0) & (columns >= 0)
        counts = np.bincount(row[some] * len(values) + columns[some], self.count[some], rows * len(values))
        return counts.reshape(rows, len(values))


def _summed(places: Array, counts: Array) -> tuple[Array, Array]:
    """The distinct places, ascending, and the sum of counts in each."""
    if int(places.max(initial=0)) < _ROOM:
        sums = np.bincount(places, counts)
        some = np.flatnonzero(sums)
        return some, sums[some]
    distinct, cell = np.unique(places, return_inverse=True)
    return distinct, np.bincount(cell, counts)
