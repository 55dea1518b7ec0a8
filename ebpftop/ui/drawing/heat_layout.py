"""Lays out a heatmap in the available rows, and maps times and values to cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.stats import histogram
from ebpftop.stats.heatmap import Heatmap, leveled, row_starts, thresholds
from ebpftop.stats.slots import lower

LEVELS = 7
PERCENTILES = ("p50", "p99")

Place = tuple[int, int]  # the end of a column in ns, and a slot


@dataclass(frozen=True, eq=False, slots=True)
class Laid:
    """edges: values between rows, the lowest first; starts: the same as slots. rates, levels: by row and column. lines:
    the row of each of `PERCENTILES` by column, −1 if there is none. least: the lowest rate of each level.
    """

    heat: Heatmap
    starts: Array
    edges: list[int]
    rates: Array
    levels: Array
    lines: list[Array]
    least: Sequence[float]

    @classmethod
    def of(cls, heat: Heatmap, room: int) -> Self | None:
        """None if nothing was counted."""
        extent = heat.extent
        if extent is None:
            return None
        starts = row_starts(*extent, room)
        rates = heat.rates(heat.merged(starts))
        least = thresholds(rates, LEVELS)
        lines = []
        for name in PERCENTILES:
            slots = heat.quantile(histogram.PERCENTILES[name])
            lines.append(np.where(slots < 0, -1, np.searchsorted(starts, slots, "right") - 1))
        edges = [lower(slot) for slot in starts.tolist()]
        return cls(heat, starts, edges, rates, leveled(rates, least, LEVELS), lines, least)

    @property
    def rows(self) -> int:
        return len(self.starts) - 1

    def place(self, at: Place | None) -> tuple[int, int] | None:
        """Column and row; None for a time before all columns."""
        if at is None or at[0] <= self.heat.time.start[0]:
            return None
        column = min(int(np.searchsorted(self.heat.time.end, at[0])), len(self.heat.time) - 1)
        row = int(np.searchsorted(self.starts, at[1], "right")) - 1
        return column, max(0, min(row, self.rows - 1))

    def put(self, column: int, row: int) -> Place:
        """Time and slot of a column and a row, or of the nearest ones."""
        column = max(0, min(column, len(self.heat.time) - 1))
        return int(self.heat.time.end[column]), int(self.starts[max(0, min(row, self.rows - 1))])

    @property
    def newest(self) -> tuple[int, int]:
        """Column and row of the newest p99."""
        column = len(self.heat.time) - 1
        return column, max(0, int(self.lines[-1][column]))
