"""A log-linear histogram: a label, a count and a bar per row, and percentiles as the bounds of their buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from ebpftop.model.run import Interval
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES, Bounds, Histogram
from ebpftop.stats.slots import lower
from ebpftop.ui.widgets.grid import bar
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.sparkline import sparkline

WIDE = 80  # cells from which there is room for the percentiles beside the bars
MARK = 9  # cells of `◂ p50 p90` or `◂ p50…p99` behind a bar
READING = 22  # cells of a percentile's name and bounds; a sparkline follows


@dataclass(frozen=True, slots=True)
class HistogramState:
    """`extent` holds the rows in place: the range of values of the recent past, in which `shown` is drawn."""

    shown: Histogram
    extent: Histogram
    unit: str = ""
    past: Sequence[Interval] = ()
    rate: float = math.nan


class HistogramBars(Words):
    DEFAULT_CSS = """
    HistogramBars {
        height: 1fr;
        padding: 0 1 0 0;
    }
    """

    state: reactive[HistogramState | None] = reactive(None, repaint=False)

    def watch_state(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        state = self.state
        width, height = self.content_size
        if state is None or height < 1:
            return Content("")
        if not len(state.extent.slots):
            return Content.styled("no data yet: waiting for the first event", "$quiet")
        if width >= WIDE:
            past = 8 if width < 100 else 16
            left = self._rows(state, width - READING - past, height)
            return _beside(left, self._side(state, past), width - READING - past)
        rows = self._rows(state, width, max(1, height - 1))
        return Content("\n").join([*rows, *self._below(state, width, height - len(rows))])

    def _rows(self, state: HistogramState, width: int, height: int) -> list[Content]:
        rows = state.extent.rows(height)
        counts = _fill([lo for lo, _, _ in rows], state.shown)
        labels = [formatting.bounds(lo, hi, state.unit) for lo, hi, _ in rows]
        label_width = max(12, *(cell_len(label) for label in labels))
        count_width = max(7, *(len(formatting.count(count)) for count in counts))
        room = max(4, width - label_width - count_width - 4 - MARK)
        most = max(counts)
        marks = _marks(state.shown, [lo for lo, _, _ in rows])
        lines = []
        for at, (label, count) in enumerate(zip(labels, counts, strict=True)):
            drawn = bar(count / most if most else 0.0, room)
            lines.append(
                Content.assemble(
                    (label.rjust(label_width), "" if count else "$quiet"),
                    (
                        formatting.count(count).rjust(count_width + 1) if count else "·".rjust(count_width + 1),
                        "" if count else "$quiet",
                    ),
                    "  ",
                    (drawn, "$primary"),
                    (f" {marks[at]}" if at in marks else "", "$quiet"),
                )
            )
        return lines

    def _side(self, state: HistogramState, past: int) -> list[Content]:
        lines = self._readings(state, past)
        return [*lines[: len(PERCENTILES) + 1], Content(""), *lines[len(PERCENTILES) + 1 :]]

    def _below(self, state: HistogramState, width: int, height: int) -> list[Content]:
        """All readings if there are enough lines, else the most important ones in one line."""
        if height > 7:
            return [Content(""), *self._side(state, min(60, width - READING - 2))]
        columns = 2 if height >= 3 else 3
        if height < 2 or width < columns * (READING + 2):
            return self._under(state, width, height)
        cells = width // columns
        readings = self._readings(state, cells - READING - 2)
        down = len(readings) // columns
        lines = [_across([readings[at] for at in range(row, len(readings), down)], cells) for row in range(down)]
        return [Content("")] * min(1, height - down) + lines

    def _readings(self, state: HistogramState, past: int) -> list[Content]:
        """Percentiles, maximum, rate and count, each with a sparkline of `past` cells."""
        lines = []
        for name, q in PERCENTILES.items():
            middles = [_middle(each.histogram, q) for each in state.past if each.histogram is not None]
            lines.append(_reading(name, _written(state.shown.quantile(q), state.unit), middles, past, "bold"))
        lines.append(_reading("max", _written(state.shown.maximum(), state.unit), [], 0))
        rates = [each.histogram.count / each.seconds for each in state.past if each.histogram and each.seconds]
        lines.append(_reading("rate", formatting.rate(state.rate), rates, past))
        lines.append(_reading("count", formatting.count(state.shown.count), [], 0))
        return lines

    def _under(self, state: HistogramState, width: int, height: int) -> list[Content]:
        """One line, or two: what doesn't fit is left out."""
        percentiles = [
            _named(name, _written(state.shown.quantile(q), state.unit), "bold") for name, q in PERCENTILES.items()
        ]
        rate = _named("rate", formatting.rate(state.rate))
        if height < 2:
            return [_fitting([*percentiles, rate], width)]
        most = _named("max", _written(state.shown.maximum(), state.unit))
        return [
            _fitting(percentiles, width),
            _fitting([most, rate, _named("count", formatting.count(state.shown.count))], width),
        ]


def _named(name: str, value: str, style: str = "") -> Content:
    return Content.assemble((f"{name} ", "$quiet"), (value, style))


def _fitting(pieces: list[Content], width: int) -> Content:
    """As many pieces, from the first on, as fit the width."""
    gap = Content("   ")
    while len(pieces) > 1 and gap.join(pieces).cell_length > width:
        pieces = pieces[:-1]
    return gap.join(pieces)


def _reading(name: str, value: str, past: Sequence[float], cells: int, style: str = "") -> Content:
    drawn = sparkline(past, min(cells, len(past)))
    return Content.assemble((f"{name:<6}", "$quiet"), (f"{value:>14}", style), "  ", (drawn, "$primary"))


def _across(pieces: Sequence[Content], cells: int) -> Content:
    """The pieces on one line, each in `cells` cells."""
    return Content("").join(Content.assemble(piece, " " * max(0, cells - piece.cell_length)) for piece in pieces)


def _beside(left: list[Content], right: list[Content], column: int) -> Content:
    blank = Content("")
    lines = []
    for at in range(max(len(left), len(right))):
        head = left[at] if at < len(left) else blank
        tail = right[at] if at < len(right) else blank
        lines.append(Content.assemble(head, " " * max(0, column - head.cell_length), tail))
    return Content("\n").join(lines)


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
    return int(np.searchsorted(np.array(edges, np.float64), float(value), side="right")) - 1


def _written(bounds: Bounds | None, unit: str) -> str:
    return formatting.bounds(*bounds, unit) if bounds else "–"


def _middle(histogram: Histogram, q: float) -> float:
    """The middle of a quantile's bucket, for a sparkline only."""
    found = histogram.quantile(q)
    return (found[0] + found[1]) / 2 if found else math.nan
