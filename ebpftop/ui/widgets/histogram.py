"""A log-linear histogram: a label, a count and a bar per row, and percentiles as the bounds of their buckets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.model.readings import Interval
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES, Bounds, Histogram, middles
from ebpftop.stats.slots import lower
from ebpftop.ui.drawing.line import merged
from ebpftop.ui.widgets.grid import bar
from ebpftop.ui.widgets.kept import Kept
from ebpftop.ui.widgets.sparkline import sparkline

WIDE = 80  # cells from which there is room for the percentiles beside the bars
MARK = 9  # cells of `◂ p50 p90` or `◂ p50…p99` behind a bar
GAPS = 5  # cells between label, count, bar, mark and what stands beside
READING = 22  # cells of a percentile's name and bounds; a sparkline follows
QUIET, BAR, STRONG = "quiet", "bar", "strong"  # looks
Line = list[tuple[str, str]]  # texts and their looks


@dataclass(frozen=True, slots=True)
class HistogramState:
    """`extent`: the range of values of the recent past, in which `shown` is drawn; it keeps the rows in place."""

    shown: Histogram
    extent: Histogram
    unit: str = ""
    past: Sequence[Interval] = ()
    rate: float = math.nan


class HistogramBars(Kept):
    COMPONENT_CLASSES: ClassVar[set[str]] = {"histogram--quiet", "histogram--bar", "histogram--strong"}
    DEFAULT_CSS = """
    HistogramBars {
        height: 1fr;
        padding: 0 1 0 0;
        & > .histogram--quiet { color: $quiet; }
        & > .histogram--bar { color: $primary; }
        & > .histogram--strong { text-style: bold; }
    }
    """

    state: reactive[HistogramState | None] = reactive(None, repaint=False)

    def watch_state(self) -> None:
        self.update_lines()

    def draw(self) -> list[Strip]:
        width, height = self.size
        return [
            merged(
                [(text, self.look(f"histogram--{look}" if look else "")) for text, look in line],
                _length(line),
                width,
                self.look(),
            )
            for line in (self._lines(width, height) if height > 0 else [])
        ]

    def _lines(self, width: int, height: int) -> list[Line]:
        state = self.state
        if state is None:
            return []
        if not len(state.extent.slots):
            return [[("no data yet: waiting for the first event", QUIET)]]
        if width >= WIDE:
            past = 8 if width < 100 else 16
            left = self._rows(state, width - READING - past, height)
            return _beside(left, self._side(state, past), width - READING - past)
        rows = self._rows(state, width, max(1, height - 1))
        return [*rows, *self._below(state, width, height - len(rows))]

    def _rows(self, state: HistogramState, width: int, height: int) -> list[Line]:
        rows = state.extent.rows(height)
        counts = _fill([lo for lo, _, _ in rows], state.shown)
        labels = [formatting.bounds(lo, hi, state.unit) for lo, hi, _ in rows]
        label_width = max(12, *(len(label) for label in labels))
        count_width = max(7, *(len(formatting.count(count)) for count in counts))
        room = max(4, width - label_width - count_width - GAPS - MARK)
        most = max(counts)
        marks = _marks(state.shown, [lo for lo, _, _ in rows])
        lines: list[Line] = []
        for at, (label, count) in enumerate(zip(labels, counts, strict=True)):
            number = formatting.count(count) if count else "·"
            head = f"{label.rjust(label_width)}{number.rjust(count_width + 1)}  "
            mark = f" {marks[at]}" if at in marks else ""
            drawn = bar(count / most if most else 0.0, room)
            lines.append([(head, "" if count else QUIET), (drawn, BAR), (mark, QUIET)])
        return lines

    def _side(self, state: HistogramState, past: int) -> list[Line]:
        lines = self._readings(state, past)
        return [*lines[: len(PERCENTILES) + 1], [], *lines[len(PERCENTILES) + 1 :]]

    def _below(self, state: HistogramState, width: int, height: int) -> list[Line]:
        """All readings if there are enough lines, otherwise the most important ones on one line."""
        if height > 7:
            return [[], *self._side(state, min(60, width - READING - 2))]
        columns = 2 if height >= 3 else 3
        if height < 2 or width < columns * (READING + 2):
            return self._under(state, width, height)
        cells = width // columns
        readings = self._readings(state, cells - READING - 2)
        down = len(readings) // columns
        lines = [_across([readings[at] for at in range(row, len(readings), down)], cells) for row in range(down)]
        return [[] for _ in range(min(1, height - down))] + lines

    def _readings(self, state: HistogramState, past: int) -> list[Line]:
        """Percentiles, maximum, rate and count, each with a sparkline of `past` cells."""
        lines = []
        recent = list(state.past)[-past:] if past > 0 else []
        for name, q in PERCENTILES.items():
            moved = middles([each.histogram for each in recent], q)
            lines.append(_reading(name, _written(state.shown.quantile(q), state.unit), moved, past, STRONG))
        lines.append(_reading("max", _written(state.shown.maximum(), state.unit), [], 0))
        rates = [each.histogram.count / each.seconds for each in recent if each.seconds]
        lines.append(_reading("rate", formatting.rate(state.rate), rates, past))
        lines.append(_reading("count", formatting.count(state.shown.count), [], 0))
        return lines

    def _under(self, state: HistogramState, width: int, height: int) -> list[Line]:
        """One or two lines; what doesn't fit is left out."""
        percentiles = [
            _named(name, _written(state.shown.quantile(q), state.unit), STRONG) for name, q in PERCENTILES.items()
        ]
        rate = _named("rate", formatting.rate(state.rate))
        if height < 2:
            return [_fitting([*percentiles, rate], width)]
        most = _named("max", _written(state.shown.maximum(), state.unit))
        return [
            _fitting(percentiles, width),
            _fitting([most, rate, _named("count", formatting.count(state.shown.count))], width),
        ]


def _length(line: Line) -> int:
    """In cells."""
    return sum(cell_len(text) for text, _ in line)


def _named(name: str, value: str, look: str = "") -> Line:
    return [(f"{name} ", QUIET), (value, look)]


def _fitting(pieces: list[Line], width: int) -> Line:
    """As many leading pieces as fit the width."""
    gap = 3
    while len(pieces) > 1 and sum(_length(each) + gap for each in pieces) - gap > width:
        pieces = pieces[:-1]
    first, *others = pieces
    return [*first, *(part for each in others for part in ((" " * gap, ""), *each))]


def _reading(name: str, value: str, past: Sequence[float], cells: int, look: str = "") -> Line:
    drawn = sparkline(past, min(cells, len(past)))
    return [(f"{name:<6}", QUIET), (f"{value:>14}", look), ("  ", look), (drawn, BAR)]


def _across(pieces: Sequence[Line], cells: int) -> Line:
    """The pieces on one line, each in `cells` cells."""
    return [part for each in pieces for part in (*each, (" " * max(0, cells - _length(each)), ""))]


def _beside(left: list[Line], right: list[Line], column: int) -> list[Line]:
    none: Line = []
    return [
        [*head, (" " * max(0, column - _length(head)), ""), *tail]
        for head, tail in zip_longest(left, right, fillvalue=none)
    ]


def _fill(edges: Sequence[int], shown: Histogram) -> list[int]:
    """The number of `shown`'s values in each row, given the rows' lower bounds."""
    counts = [0] * len(edges)
    for slot, count in zip(shown.slots.tolist(), shown.counts.tolist(), strict=True):
        at = _row_of(edges, lower(slot))
        counts[max(0, at)] += count
    return counts


def _marks(shown: Histogram, edges: Sequence[int]) -> dict[int, str]:
    """Row → the percentiles in it."""
    names: dict[int, list[str]] = {}
    for name, q in PERCENTILES.items():
        bounds = shown.quantile(q)
        if bounds:
            names.setdefault(max(0, _row_of(edges, bounds[0])), []).append(name)
    return {at: f"◂ {' '.join(each)}" if len(each) < 3 else f"◂ {each[0]}…{each[-1]}" for at, each in names.items()}


def _row_of(edges: Sequence[int], value: int) -> int:
    return bisect_right(edges, value) - 1


def _written(bounds: Bounds | None, unit: str) -> str:
    return formatting.bounds(*bounds, unit) if bounds else "–"
