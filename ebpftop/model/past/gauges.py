"""Reading the gauges of a span: the last, the least and the greatest value of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.model.past.block import Block, Cells, Field, How
from ebpftop.model.past.roster import Roster

TEXT: tuple[How, ...] = ("last",)
NUMBER: tuple[How, ...] = ("last", "low", "high")


class Gauges:
    """found: a value for each row of the roster. known: the rows with a value.

    A span's least and greatest value include the value at its beginning.
    """

    def __init__(self, roster: Roster, numbers: Sequence[str], texts: Sequence[str]) -> None:
        self.found: Cells = {}
        self.known = np.zeros(len(roster), bool)
        self._roster = roster
        self._fields: list[Field] = [(name, how) for name in numbers for how in NUMBER]
        self._fields += [(name, how) for name in texts for how in TEXT]

    def begin(self, block: Block, stop: int, among: Block | None = None) -> None:
        """Start with the values before a step of a block. among: only for rows in the first step of that block."""
        codes = block.codes[: block.part(0, stop).stop]
        rows, since = np.unique(codes[::-1], return_index=True)
        if among is not None:
            held = np.isin(block.numbers[rows], among.numbers[among.codes[among.part(0, 1)]])
            rows, since = rows[held], since[held]
        cells = {field: values[len(codes) - 1 - since] for field, values in block.cells.items() if field[1] == "last"}
        places = self._roster.places(block.numbers)[rows]
        self.known[places] = False
        self._add(places, cells)

    def take(self, block: Block, start: int, stop: int) -> None:
        """Add steps of a block, in the order of time."""
        places = self._roster.places(block.numbers)
        if stop - start == len(block):
            self._add(places, block.rows)
        else:
            part = block.part(start, stop)
            self._add(places[block.codes[part]], {field: values[part] for field, values in block.cells.items()})

    def _add(self, places: Array, cells: Mapping[Field, Array]) -> None:
        fresh = ~self.known[places]
        for name, how in self._fields:
            values = cells.get((name, how), cells[name, "last"])
            into = self.found.get((name, how))
            wide = {"u": np.uint64, "i": np.int64}.get(values.dtype.kind, values.dtype)
            if into is None:
                into = np.zeros(len(self.known), wide)
            into = self.found[name, how] = into.astype(np.result_type(into, wide), copy=False)
            _merge(how, into, places, values, fresh)
        self.known[places] = True


def _merge(how: How, into: Array, at: Array, values: Array, fresh: Array) -> None:
    """Merge values, the latest last, into their places. fresh: places without an earlier value."""
    if how == "last":
        into[at] = values
    else:
        into[at[fresh]] = values[fresh]
        (np.fmin if how == "low" else np.fmax).at(into, at, values)


def merged(how: How, values: Array, group: Array, groups: int) -> Array:
    """One value per group, 0 if it has none."""
    merged = np.zeros(groups, values.dtype)
    _merge(how, merged, group, values, np.ones(len(values), bool))
    return merged
