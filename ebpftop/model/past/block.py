"""A few steps of one view. A step contains the rows that changed between two samples, and their changes.

Rows are numbers that a `Roster` explains. A cell is one row of one step: the gain of each counter, and the last, the
least and the greatest value of each gauge. Blocks are immutable; coarser ones are made from them by three operations,
none of which changes a sum: `join` concatenates blocks, `paired` makes one step of two, `folded` one row of several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ebpftop.frames.columns import Array

How = Literal["sum", "last", "low", "high"]
Field = tuple[str, How]  # a counter's or gauge's name, and how several values of it become one
Cells = dict[Field, Array]

# start, end: monotonic ns. lasted: ns that were observed; less than end - start where there is a gap. realtime: of end.
TIMES = np.dtype([("start", "<i8"), ("end", "<i8"), ("lasted", "<i8"), ("realtime", "<i8")])
STEPS = 64  # in a block, at most

_LONG = 1.5  # times the median length
_ARRAY, _DICT, _ENTRY, _OBJECT = 128, 64, 120, 120  # bytes of an array object, a dict, an entry of it, a block


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """times: `TIMES` per step. numbers: the rows, ascending. offsets: the first cell of each step, and the end. codes:
    the row of each cell, an index of `numbers`, ascending within a step. cells: integers in the smallest type that
    holds them. rows: each row's value over the whole block, sums as int64. sums: counter → int64 per step.
    """

    times: Array
    numbers: Array
    offsets: Array
    codes: Array
    cells: Cells
    rows: Cells
    sums: dict[str, Array]
    bytes: int

    def __len__(self) -> int:
        return len(self.times)

    @property
    def end(self) -> int:
        return int(self.times["end"][-1])

    @property
    def width(self) -> float:
        """The mean length of a step in ns."""
        return max(1, self.end - int(self.times["start"][0])) / len(self)

    def part(self, start: int, stop: int) -> slice:
        """The cells of the steps start…stop."""
        return slice(int(self.offsets[start]), int(self.offsets[stop]))

    def steps(self) -> Array:
        """The step of each cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def single(time: tuple[int, int, int], numbers: Array, cells: Mapping[Field, Array]) -> Block:
    """One step. time: its start and end, and the realtime of its end. numbers: distinct rows in any order."""
    start, end, realtime = time
    times = np.array([(start, end, end - start, realtime)], TIMES)
    order = np.argsort(numbers)
    ordered = {field: values[order] for field, values in cells.items()}
    sums = {name: values.sum(keepdims=True, dtype=np.int64) for (name, how), values in ordered.items() if how == "sum"}
    codes = np.arange(len(numbers), dtype=np.min_scalar_type(max(1, len(numbers)) - 1))
    narrow = {field: _narrow(field, values) for field, values in ordered.items()}
    return _of(times, numbers[order], np.array([0, len(numbers)], np.uint32), codes, narrow, narrow, sums)


def join(blocks: Sequence[Block]) -> Block:
    """The steps of consecutive blocks."""
    first = np.cumsum([0, *map(len, blocks)])
    return _built(
        np.concatenate([block.times for block in blocks]),
        np.concatenate([block.steps() + at for block, at in zip(blocks, first[:-1], strict=True)]),
        np.concatenate([block.numbers[block.codes] for block in blocks]),
        {field: np.concatenate([_wide(field, block.cells[field]) for block in blocks]) for field in blocks[0].cells},
    )


def paired(block: Block) -> Block:
    """Half as many steps, each twice as long. Long steps wait for the others, and steps on both sides of a gap stay
    separate as long as others can be merged.
    """
    times = block.times
    gap = times["start"][1:] != times["end"][:-1]
    length = times["end"] - times["start"]
    long = length > _LONG * np.median(length)
    for apart in (gap | long[1:] | long[:-1], gap, np.zeros_like(gap)):
        chain = np.concatenate(([0], np.cumsum(apart)))
        begins = (np.arange(len(block)) - np.searchsorted(chain, chain)) % 2 == 0  # every second step of each chain
        if not begins.all():
            break
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(block)) - 1
    merged = np.empty(len(first), TIMES)
    merged["start"], merged["lasted"] = times["start"][first], np.add.reduceat(times["lasted"], first)
    merged["end"], merged["realtime"] = times["end"][last], times["realtime"][last]
    step = (np.cumsum(begins) - 1)[block.steps()]
    return _built(merged, step, block.numbers[block.codes], block.cells)


def folded(block: Block, into: Array) -> Block:
    """Each row added to the row `into`. For gauges: the least and greatest of all, and the last of one of them."""
    return _built(block.times, block.steps(), into[block.codes], block.cells)


def _built(times: Array, step: Array, number: Array, cells: Mapping[Field, Array]) -> Block:
    """A block from cells in order of time; cells of one step and row are united."""
    numbers, codes = np.unique(number, return_inverse=True)
    rows = max(1, len(numbers))
    place = step * rows + codes
    order = np.argsort(place, kind="stable")
    place = place[order]
    first = _starts(place)
    cells = _united({field: values[order] for field, values in cells.items()}, first)
    step, codes = np.divmod(place[first], rows)
    offsets = np.searchsorted(step, np.arange(len(times) + 1)).astype(np.uint32)
    by_row = np.argsort(codes, kind="stable")
    totals = _united({field: values[by_row] for field, values in cells.items()}, _starts(codes[by_row]))
    sums = {name: _by_step(values, offsets) for (name, how), values in cells.items() if how == "sum"}
    codes = codes.astype(np.min_scalar_type(rows - 1))
    cells = {field: _narrow(field, values) for field, values in cells.items()}
    return _of(times, numbers, offsets, codes, cells, cells if len(times) == 1 else totals, sums)


def _of(
    times: Array, numbers: Array, offsets: Array, codes: Array, cells: Cells, rows: Cells, sums: dict[str, Array]
) -> Block:
    size = _size(times, numbers, offsets, codes, cells, rows, sums)
    return Block(times, numbers, offsets, codes, cells, rows, sums, size)


def _starts(values: Array) -> Array:
    """The starts of runs of equal values."""
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1]))[: len(values)])


def _united(cells: Cells, first: Array) -> Cells:
    """One value for each run of cells that begins at `first`."""
    united: Cells = {}
    for (name, how), values in cells.items():
        match how:
            case "sum":
                united[name, how] = np.add.reduceat(values, first, dtype=np.int64) if len(first) else _NONE
            case "last":
                united[name, how] = values[np.append(first[1:], len(values)) - 1] if len(first) else values[:0].copy()
            case "low":
                united[name, how] = np.fmin.reduceat(values, first) if len(first) else values[:0].copy()
            case "high":
                united[name, how] = np.fmax.reduceat(values, first) if len(first) else values[:0].copy()
    return united


_NONE = np.zeros(0, np.int64)


def _by_step(gains: Array, offsets: Array) -> Array:
    running = np.concatenate(([0], np.cumsum(gains, dtype=np.int64)))
    return running[offsets[1:]] - running[offsets[:-1]]


def _narrow(field: Field, values: Array) -> Array:
    """Integers in the smallest type that holds them: gains, which aren't negative, as unsigned;
    others keep their kind.
    """
    if values.dtype.kind not in "iu" or not len(values):
        return values
    low, high = values.min(), values.max()
    kind = "u" if field[1] == "sum" else values.dtype.kind
    for size in (1, 2, 4):
        limits = np.iinfo(f"{kind}{size}")
        if limits.min <= low and high <= limits.max:
            return values.astype(limits.dtype)
    return values


def _wide(field: Field, values: Array) -> Array:
    if field[1] == "sum":
        return values.astype(np.int64)
    return values.astype({"u": np.uint64, "i": np.int64}.get(values.dtype.kind, values.dtype))


def _size(*parts: Array | Mapping[str, Array] | Cells) -> int:
    dicts = {id(part): part for part in parts if not isinstance(part, np.ndarray)}
    arrays = {id(part): part for part in parts if isinstance(part, np.ndarray)}
    arrays |= {id(array): array for part in dicts.values() for array in part.values()}
    size = _OBJECT + sum(_ARRAY + array.nbytes for array in arrays.values())
    return size + sum(_DICT + _ENTRY * len(part) for part in dicts.values())
