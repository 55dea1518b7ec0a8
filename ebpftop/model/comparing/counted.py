"""The gains of a view's rows in one span, in units of time with the same length in both spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.model.comparing.sides import Side
from ebpftop.stats.change import Side as Parts
from ebpftop.stats.percentile_change import Values
from ebpftop.stats.slots import SLOTS


class Counted:
    """place: the row of each row of the side, -1 for none. unit: of each step, -1 for none. fields: counters that are
    read, once; slot: a histogram's key that is read with them.

    The last row stands for all others together, including gains that belong to no row. Later computations don't read
    the side.
    """

    def __init__(self, side: Side, place: Array, rows: int, unit: Array, fields: Sequence[str], slot: str = "") -> None:
        self.rows = rows + 1
        self.units = int(unit.max()) + 1
        self._seconds = np.bincount(unit[unit >= 0], side.lasted[unit >= 0], self.units)
        self.seconds = float(side.lasted.sum())
        self._cells: dict[str, tuple[Array, Array, Array]] = {}  # unit, row, gain
        self._slots: dict[str, Array] = {}
        slots = side.values(slot) if slot else np.zeros(0, np.int64)
        assert isinstance(slots, np.ndarray)
        for field in fields:
            step, at, gain = side.cells(field)
            some = unit[step] >= 0
            if side.only is not None:
                some &= side.only[at]
            at = at[some]
            self._cells[field] = unit[step[some]].astype(np.int32), place[at].astype(np.int32), gain[some]
            if slot:
                self._slots[field] = slots[at].astype(np.int32)

    def rates(self, field: str) -> Parts:
        """What each row gained in each unit, beside its seconds."""
        unit, row, gain = self._cells[field]
        some = row >= 0
        place = unit[some].astype(np.int64) * self.rows + row[some]
        sums = np.bincount(place, gain[some], self.units * self.rows).astype(np.float64)
        sums = sums.reshape(self.units, self.rows)
        sums[:, -1] = np.bincount(unit, gain, self.units)
        return Parts(sums, np.repeat(self._seconds[:, np.newaxis], self.rows, axis=1))

    def values(self, field: str) -> Values:
        """Of a histogram's rows."""
        unit, row, gain = self._cells[field]
        slots = self._slots[field]
        some = row >= 0
        together = np.bincount(unit.astype(np.int64) * SLOTS + slots, gain, self.units * SLOTS)
        all_of_them = np.flatnonzero(together)
        return Values(
            np.concatenate((unit[some], all_of_them // SLOTS)),
            np.concatenate((row[some], np.full(len(all_of_them), self.rows - 1))),
            np.concatenate((slots[some], all_of_them % SLOTS)),
            np.concatenate((gain[some], together[all_of_them])),
            self.units,
            self.rows,
        )
