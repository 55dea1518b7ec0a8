"""The heatmap of a histogram view: the gains of its past by time and value, in all rows or in some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.past.block import Block
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import FIRST, Span
from ebpftop.stats.heatmap import Heatmap, Timeline, begins, cell_length, counted
from ebpftop.stats.slots import SLOTS

_LATEST = 512  # steps whose lengths tell how wide a cell is


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a heatmap: the steps of a span, and values low <= v < high."""

    span: Span
    low: int
    high: int


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Some steps of a block: the first of each column, slots and counts."""

    step: Array
    slot: Array
    count: Array


class HeatReader:
    """Reads one view repeatedly. The sums of blocks of steps are cached, so only new steps are counted."""

    def __init__(self, view: ViewInfo) -> None:
        self._view = view
        self._only: Array | None = None
        self._cell = 0
        self._parts: dict[Block, _Part] = {}

    def read(self, past: Past, end: int, width: int, *, seconds: float = 0, only: Array | None = None) -> Heatmap:
        """The steps until `end` in `width` cells, each at least so many seconds, and as many as fit. A first step that
        counts from attaching is left out, because its rate is unknown. only: a mask of the past's rows.
        """
        latest = past.times(Span(end=end))
        cell = cell_length((latest["end"] - latest["start"])[-_LATEST:], seconds, width, self._cell)
        if cell != self._cell or not _goes_on(self._only, only):
            self._parts.clear()
        self._cell, self._only = cell, only
        begin = FIRST
        if len(latest):
            end = int(latest["end"][-1])
            begin = int(latest["end"][0]) if not latest["lasted"][0] else FIRST
        span = Span(max(begin, ((end - cell // 2) // cell + 1 - width) * cell), end)
        parts, kept = [], {}
        base = 0
        for block, start, stop in past.slices(span):
            whole = stop - start == len(block)
            part = self._parts.get(block) if whole else None
            if part is None:
                part = self._counted(past, block, start, stop, only)
            if whole:
                kept[block] = part
            parts.append((part.step + (base - start), part.slot, part.count))
            base += stop - start
        self._parts = kept
        return counted(Timeline.of(past.times(span), cell, width), parts)

    def _counted(self, past: Past, block: Block, start: int, stop: int, wanted: Array | None) -> _Part:
        cells = block.part(start, stop)
        places = past.roster.places(block.numbers)
        codes, step = block.codes[cells], block.steps()[cells] - start
        gains = block.cells[self._view.count, "sum"][cells]
        if wanted is not None:
            mine = wanted[places][codes]
            codes, step, gains = codes[mine], step[mine], gains[mine]
        slots = past.roster.column(self._view.slot)[places]
        times = block.times[start:stop]
        first = begins(times["start"], times["end"], self._cell)
        column = np.cumsum(first) - 1
        sums = np.zeros((int(column[-1]) + 1, SLOTS), np.int64)
        np.add.at(sums, (column[step], slots[codes].astype(np.intp)), gains.astype(np.int64))
        at, slot = np.nonzero(sums)
        return _Part(np.flatnonzero(first)[at] + start, slot, sums[at, slot])


def _goes_on(before: Array | None, now: Array | None) -> bool:
    """Whether a mask has the same value for old rows, and any for new ones."""
    if before is None or now is None:
        return before is now
    return bool(np.array_equal(now[: len(before)], before))
