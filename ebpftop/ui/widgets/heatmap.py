"""A histogram over time: time to the right, values upwards. The more events per second, the stronger the colour.

Percentiles are lines over it. The cursor is a cell; a region is a span of time and a range of values.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from rich.cells import set_cell_size
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from ebpftop.frames.columns import Array
from ebpftop.model.heat import Region
from ebpftop.model.past.span import Span
from ebpftop.stats import formatting
from ebpftop.stats.heatmap import Heatmap, level_of
from ebpftop.ui.drawing.heat_cells import GAP, HERE, LABEL, LINES, SHADES, cells_of, readable, sign_and_level
from ebpftop.ui.drawing.heat_layout import LEVELS, PERCENTILES, Laid, Place
from ebpftop.ui.drawing.heat_region import Picked, share, when
from ebpftop.ui.drawing.line import merged
from ebpftop.ui.drawing.time_axis import time_axis
from ebpftop.ui.messages import SpanAsked
from ebpftop.ui.widgets.kept import Kept
from ebpftop.ui.widgets.keyboard import MOVES

FAR = 1 << 20  # columns or rows: to the edge

_QUIET, _SPAN = "heatmap--quiet", "heatmap--span"

Line = list[tuple[str, Style]]


class HeatmapPlot(Kept, can_focus=True):
    """`show` sets what is drawn; cursor and region are kept here, by time and value."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        _QUIET,
        _SPAN,
        "heatmap--strong",
        "heatmap--cursor",
        *(f"heatmap--{level}" for level in range(1, LEVELS + 1)),
    }
    DEFAULT_CSS = """
    HeatmapPlot {
        height: 1fr;
        padding: 0 1 0 0;
        & > .heatmap--quiet { color: $quiet; }
        & > .heatmap--span { color: $foreground; background: $cursor; text-style: bold; }
        &:nocolor > .heatmap--span { text-style: reverse; }
        & > .heatmap--strong { text-style: bold; }
        & > .heatmap--cursor { color: $background; background: $foreground; text-style: bold; }
        & > .heatmap--1 { background: $heat-1; }
        & > .heatmap--2 { background: $heat-2; }
        & > .heatmap--3 { background: $heat-3; }
        & > .heatmap--4 { background: $heat-4; }
        & > .heatmap--5 { background: $heat-5; }
        & > .heatmap--6 { background: $heat-6; }
        & > .heatmap--7 { background: $heat-7; }
        &:nocolor > .heatmap--cursor { text-style: reverse bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("left,h", "aside(-1)", "earlier", show=False, tooltip="Go to earlier or later times"),
        Binding("right,l", "aside(1)", "later", show=False),
        Binding("V", "choose(0, 0)", "region", tooltip="Choose a region, also by dragging", id="choose"),
        Binding("enter", "zoom", "this time", key_display="Enter", tooltip="Show the region's time in all views"),
        Binding("x", "ask", "what stands out", tooltip="Show what stands out in the region", id="stands-out"),
        Binding("shift+left", "choose(-1, 0)", show=False, tooltip="Choose a region"),
        Binding("shift+right", "choose(1, 0)", show=False),
        Binding("shift+up", "choose(0, 1)", show=False),
        Binding("shift+down", "choose(0, -1)", show=False),
    ]

    class Chosen(Message):
        """A region was selected, or cleared."""

        def __init__(self, region: Region | None) -> None:
            super().__init__()
            self.region = region

    class Asked(Message):
        """Asks what stands out in this region. words: the region in words. around: the span of the whole heatmap."""

        def __init__(self, region: Region, words: str, around: Span) -> None:
            super().__init__()
            self.region = region
            self.words = words
            self.around = around

    class Resized(Message):
        """The number of cells has changed."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit
        self.picked: Picked | None = None
        self.choosing = False  # whether the arrow keys widen the region
        self._heat: Heatmap | None = None
        self._laid: Laid | None = None
        self._span: Span | None = None
        self._of: object = None
        self._cursor: Place | None = None  # end of the column in ns, and a slot of the row
        self._anchor: Place | None = None  # the region's other corner, likewise
        self._glyphs: dict[int, tuple[str, Style]] = {}

    # ------------------------------------------------------------ what is shown

    @property
    def cells(self) -> int:
        """How many cells wide the plot is."""
        return max(1, self.size.width - LABEL)

    def show(self, heat: Heatmap, span: Span | None = None, of: object = None) -> None:
        """span: marked on the axis. of: identifies what is counted."""
        if self.picked is not None and of != self._of:
            self.picked = self.picked.counted(heat)
        self._heat, self._laid, self._span, self._of = heat, None, span, of
        self.update_lines()

    def on_resize(self, event: events.Resize) -> None:
        self._laid = None
        self.post_message(self.Resized())

    def notify_style_update(self) -> None:
        self._glyphs.clear()
        super().notify_style_update()

    @property
    def words(self) -> str:
        """The region in words: times, values, count and share."""
        found = (self.picked.words(self.unit), self.picked.share) if self.picked else ()
        return " · ".join(part for part in found if part)

    # ------------------------------------------------------------ drawing

    def _lay_out(self) -> Laid | None:
        if self._laid is None and self._heat is not None:
            self._laid = Laid.of(self._heat, max(1, self.size.height - 2))
        return self._laid

    def draw(self) -> list[Strip]:
        width, height = self.size
        laid = self._lay_out()
        if height < 1:
            return []
        if laid is None:
            text = "no data yet: waiting for the first event"
            return [merged([(text, self.look(_QUIET))], len(text), width, self.look())]
        here = laid.place(self._cursor)
        cells = cells_of(laid, self.picked.region if self.picked else None, here)
        head = self._readout(laid, *here) if here else self._legend(laid)
        lines = [head, *(self._row(laid, row, cells[row]) for row in reversed(range(laid.rows)))]
        lines = [*lines[: height - 1], self._axis(laid)] if height > 2 else lines[:height]
        return [merged(line, sum(len(text) for text, _ in line), width, self.look()) for line in lines]

    def _row(self, laid: Laid, row: int, cells: Array) -> Line:
        every = 1 if laid.rows <= 6 else 2 if laid.rows <= 16 else 3
        label = _label(laid.edges[row], self.unit) if row % every == 0 else ""
        line = [(f"{label:>{LABEL - 1}} ", self.look(_QUIET))]
        changes = np.flatnonzero(np.diff(cells)) + 1
        for first, stop in zip([0, *changes.tolist()], [*changes.tolist(), len(cells)], strict=True):
            sign, style = self._glyph(int(cells[first]))
            line.append((sign * (stop - first), style))
        return line

    def _axis(self, laid: Laid) -> Line:
        """Times, and the span marked."""
        time, axis, quiet = laid.heat.time, time_axis(laid.heat.time, self.cells), self.look(_QUIET)
        first = stop = len(axis)
        if self._span is not None:
            inside = (time.end > self._span.start) & (time.end <= self._span.end)
            x = np.flatnonzero((time.cells >= 0) & inside[time.cells])
            if len(x):
                first, stop = int(x[0]), int(x[-1]) + 1
        return [(" " * LABEL + axis[:first], quiet), (axis[first:stop], self.look(_SPAN)), (axis[stop:], quiet)]

    def _glyph(self, cell: int) -> tuple[str, Style]:
        if cell not in self._glyphs:
            sign, level = sign_and_level(cell)
            style = self.look(f"heatmap--{level}") if 0 < level <= LEVELS else self.look()
            if sign:
                style = self.look("heatmap--cursor") if sign == HERE else style + readable(style.bgcolor)
            elif level == GAP:
                sign, style = "╱", self.look(_QUIET)
            else:
                sign = SHADES[level] if self.app.no_color else " "
            self._glyphs[cell] = sign, style
        return self._glyphs[cell]

    def _legend(self, laid: Laid) -> Line:
        quiet = self.look(_QUIET)
        line: Line = []
        for name, sign in zip(reversed(PERCENTILES), reversed(LINES), strict=True):
            line += [(f"{sign}{sign} ", self.look("heatmap--strong")), (f"{name}   ", quiet)]
        line.append(("per second", quiet))
        for at, least in enumerate(laid.least):
            sign, style = self._glyph(level_of(at, len(laid.least), LEVELS))
            line += [("  ", quiet), (sign * 2, style), (f" {formatting.count(least)}", quiet)]
        room = self.size.width - sum(len(text) for text, _ in line)
        return [(" " * min(LABEL, room), quiet), *line]

    def _readout(self, laid: Laid, column: int, row: int) -> Line:
        """The cell under the cursor in numbers."""
        time, starts = laid.heat.time, laid.starts
        count, of = laid.heat.count(column, column, int(starts[row]), int(starts[row + 1]))
        clock = when(time, Span(int(time.start[column]), int(time.end[column])))
        facts = [
            formatting.bounds(laid.edges[row], laid.edges[row + 1], self.unit),
            formatting.plural(count, "value"),
            formatting.rate(float(laid.rates[row, column])),
            share(count, of),
        ]
        return [(clock, self.look("heatmap--strong")), ("".join(f" · {fact}" for fact in facts), self.look())]

    # ------------------------------------------------------------ cursor and region

    def _move(self, across: int, up: int) -> None:
        laid = self._lay_out()
        if laid is None:
            return
        here = laid.place(self._cursor)
        if here is None:
            self._cursor = laid.put(*laid.newest)
        else:
            self._cursor = laid.put(here[0] + across, here[1] + up)

    def go(self, across: int, up: int) -> None:
        """Move the cursor; while a region is being selected, extend it."""
        if self.choosing:
            self._widen(across, up)
            return
        self._anchor = None
        self._move(across, up)
        self.update_lines()

    def action_aside(self, step: int) -> None:
        self.go(step, 0)

    def action_move(self, step: int) -> None:
        self.go(0, -step)

    def action_page(self, direction: int) -> None:
        self.go(0, -direction * FAR)

    def action_edge(self, direction: int) -> None:
        self.go(direction * FAR, 0)

    def action_choose(self, across: int, up: int) -> None:
        """Widen the region. (0, 0) begins a region that moving widens, or ends that."""
        if (across, up) == (0, 0):
            self.choosing = not self.choosing
            if not self.choosing:
                return
            self._anchor = None
        self._widen(across, up)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in ("ask", "zoom") or self.picked is not None

    def action_zoom(self) -> None:
        if self.picked is not None:
            self.post_message(SpanAsked(self.picked.region.span))

    def action_ask(self) -> None:
        if self.picked is not None and self._heat is not None:
            time, span = self._heat.time, self.picked.region.span
            around = Span(min(int(time.end[0]) - 1, span.start), max(int(time.end[-1]), span.end))
            self.post_message(self.Asked(self.picked.region, self.picked.words(self.unit), around))

    def _widen(self, across: int, up: int) -> None:
        if self._cursor is None:
            self._move(0, 0)
        if self._anchor is None:
            self._anchor = self._cursor
        self._move(across, up)
        self._choose()

    def _choose(self) -> None:
        """The region between the anchor and the cursor."""
        laid = self._lay_out()
        if laid is None:
            return
        one, other = laid.place(self._anchor), laid.place(self._cursor)
        if one is None or other is None:
            return
        self.picked = Picked.between(laid, one, other)
        self.post_message(self.Chosen(self.picked.region))
        self.refresh_bindings()
        self.update_lines()

    def let_go(self) -> bool:
        """Clear the region, or else the cursor; False if there was neither."""
        if self.picked is not None:
            self.picked = self._anchor = None
            self.choosing = False
            self.post_message(self.Chosen(None))
            self.refresh_bindings()
        elif self._cursor is not None:
            self._cursor = None
        else:
            return False
        self.update_lines()
        return True

    # ------------------------------------------------------------ mouse

    def _under(self, laid: Laid, event: events.MouseEvent) -> Place | None:
        """The cell under the mouse, or the nearest one."""
        cells = laid.heat.time.cells
        x = max(0, min(event.x - LABEL, len(cells) - 1))
        known = np.flatnonzero(cells >= 0)
        if not len(known):
            return None
        column = int(cells[known[np.argmin(np.abs(known - x))]])
        return laid.put(column, laid.rows - event.y)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        laid = self._lay_out()
        if laid is None or event.button != 1:
            return
        self.let_go()
        self._cursor = self._anchor = self._under(laid, event)
        self.capture_mouse()
        self.update_lines()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        laid = self._lay_out()
        if laid is None or self.app.mouse_captured is not self:
            return
        here = self._under(laid, event)
        if here is not None and here != self._cursor:
            self._cursor = here
            self._choose()

    def on_mouse_up(self) -> None:
        self.release_mouse()


def _label(value: int, unit: str) -> str:
    text = formatting.value(value, unit)
    return text if len(text) < LABEL else set_cell_size(formatting.value(value), LABEL - 1)
