"""The times of samples: one column per second, its fractions from bottom to top. The more samples, the stronger the
colour.

The cursor is a cell. A range continues from the top of one second at the bottom of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip as Line

from ebpftop.frames.columns import Array
from ebpftop.model.past.span import Span
from ebpftop.stats import formatting
from ebpftop.stats.heatmap import NS, Timeline, level_of, leveled, thresholds
from ebpftop.stats.strip import ROWS, Strip
from ebpftop.ui.drawing.heat_cells import HERE, LABEL, SHADES, readable
from ebpftop.ui.drawing.heat_layout import LEVELS
from ebpftop.ui.drawing.line import merged
from ebpftop.ui.drawing.time_axis import time_axis
from ebpftop.ui.widgets.kept import Kept
from ebpftop.ui.widgets.keyboard import MOVES

CHOSEN = "●"
PAGE = 10  # seconds
AROUND = 2  # lines around the rows: numbers above, times below

_BASE = LEVELS + 1
_QUIET, _CURSOR = "strip--quiet", "strip--cursor"

Pieces = list[tuple[str, Style]]


class StripPlot(Kept, can_focus=True):
    """`show` sets what is drawn; cursor and range are kept here, by time (monotonic ns)."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        _QUIET,
        _CURSOR,
        "strip--strong",
        *(f"strip--{level}" for level in range(1, LEVELS + 1)),
    }
    DEFAULT_CSS = (
        """
    StripPlot {
        height: 1fr;
        padding: 0 1 0 0;
        & > .strip--quiet { color: $quiet; }
        & > .strip--strong { text-style: bold; }
        & > .strip--cursor { color: $background; background: $foreground; text-style: bold; }
        &:nocolor > .strip--cursor { text-style: reverse bold; }
    """
        + "".join(f"    & > .strip--{level} {{ background: $heat-{level}; }}\n    " for level in range(1, LEVELS + 1))
        + "}"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("left,h", "aside(-1)", "earlier", show=False, tooltip="Go a second back or forward"),
        Binding("right,l", "aside(1)", "later", show=False),
        Binding("V", "choose(0)", "range", tooltip="Choose a range, also by dragging", id="choose"),
        Binding("enter", "zoom", "flame graph", key_display="Enter", tooltip="Show the flame graph of this time"),
        Binding("C", "turn", "CPU", tooltip="Show one CPU at a time, or all", id="cpu"),
        Binding("shift+left", "choose(-2)", show=False, tooltip="Choose a range"),
        Binding("shift+right", "choose(2)", show=False),
        Binding("shift+up", "choose(1)", show=False),
        Binding("shift+down", "choose(-1)", show=False),
    ]

    class Moved(Message):
        """Cursor or range changed: other times may have to be shown."""

    class Zoomed(Message):
        """Show the samples of this span."""

        def __init__(self, span: Span) -> None:
            super().__init__()
            self.span = span

    class Turned(Message):
        """Show another CPU."""

    class Resized(Message):
        """The number of cells has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.cursor: int | None = None
        self.choosing = False  # whether the arrow keys widen the range
        self._anchor: int | None = None  # the range's other end
        self._strip: Strip | None = None
        self._levels: Array = np.zeros((0, 0), np.intp)
        self._least: Sequence[float] = ()
        self._reach = Span(0, 0)
        self._offset = 0
        self._glyphs: dict[int, tuple[str, Style]] = {}

    # ------------------------------------------------------------ what is shown

    @property
    def cells(self) -> int:
        """The seconds that fit."""
        return max(1, self.content_size.width - LABEL)

    @property
    def parts(self) -> int:
        """The parts of a second that fit."""
        return rows_for(self.size.height - AROUND)

    def show(self, strip: Strip | None, reach: Span, offset: int) -> None:
        """reach: the times for which the samples are known. offset: ns from the monotonic to the realtime clock."""
        self._strip, self._reach, self._offset = strip, reach, offset
        if strip is not None:
            counts = strip.counts.astype(np.float64)
            self._least = thresholds(counts, LEVELS)
            self._levels = leveled(counts, self._least, LEVELS)
        self.update_lines()

    @property
    def picked(self) -> Span | None:
        """The range, or the cell under the cursor."""
        if self._strip is None or self.cursor is None:
            return None
        ends = sorted((self.cursor, self.cursor if self._anchor is None else self._anchor))
        start, stop = (self._strip.start(end) for end in ends)
        return Span(start, stop + self._strip.part)

    def on_resize(self, _event: events.Resize) -> None:
        self.post_message(self.Resized())

    def notify_style_update(self) -> None:
        self._glyphs.clear()
        super().notify_style_update()

    # ------------------------------------------------------------ drawing

    def draw(self) -> list[Line]:
        width, height = self.size
        strip = self._strip
        if height < 1:
            return []
        if strip is None:
            text = "no samples yet"
            return [merged([(text, self.look(_QUIET))], len(text), width, self.look())]
        codes = self._codes(strip)
        lines = [self._readout(strip) or self._legend(strip)]
        lines += [self._row(strip, row, codes[row]) for row in reversed(range(len(codes)))]
        lines = [*lines[: height - 1], self._axis(strip)] if height > 2 else lines[:height]
        return [merged(line, sum(len(text) for text, _ in line), width, self.look()) for line in lines]

    def _codes(self, strip: Strip) -> Array:
        """The content of each cell: its level, plus `_BASE` times what lies over it."""
        codes = self._levels.copy()
        if self._anchor is not None and (picked := self.picked) is not None:
            starts = strip.begin + np.arange(strip.columns) * NS + np.arange(len(codes))[:, None] * strip.part
            codes[(starts >= picked.start) & (starts < picked.end)] += _BASE
        if self.cursor is not None and (cell := strip.cell(self.cursor)) is not None:
            codes[cell] = codes[cell] % _BASE + 2 * _BASE
        return codes

    def _row(self, strip: Strip, row: int, codes: Array) -> Pieces:
        every = max(1, len(strip.counts) // 5)
        label = f"{formatting.value(row * strip.part, 'ns')}" if row % every == 0 else ""
        line = [(f"{label:>{LABEL - 1}} ", self.look(_QUIET))]
        changes = np.flatnonzero(np.diff(codes)) + 1
        for first, stop in zip([0, *changes.tolist()], [*changes.tolist(), len(codes)], strict=True):
            sign, style = self._glyph(int(codes[first]))
            line.append((sign * (stop - first), style))
        return line

    def _glyph(self, code: int) -> tuple[str, Style]:
        if code not in self._glyphs:
            over, level = divmod(code, _BASE)
            style = self.look(f"strip--{level}") if level else self.look()
            sign = SHADES[level] if self.app.no_color else " "
            if over == 1:
                sign, style = CHOSEN, style + readable(style.bgcolor)
            elif over:
                sign, style = HERE, self.look(_CURSOR)
            self._glyphs[code] = sign, style
        return self._glyphs[code]

    def _axis(self, strip: Strip) -> Pieces:
        columns = np.arange(strip.columns)
        start = strip.begin + columns * NS
        times = Timeline(start, start + NS, columns, start + NS + self._offset, columns, columns)
        return [(" " * LABEL + time_axis(times, strip.columns), self.look(_QUIET))]

    def _legend(self, strip: Strip) -> Pieces:
        quiet = self.look(_QUIET)
        line: Pieces = [(f"{'':{LABEL}}samples in {formatting.value(strip.part, 'ns')}", quiet)]
        for at, least in enumerate(self._least):
            sign, style = self._glyph(level_of(at, len(self._least), LEVELS))
            line += [("   ", quiet), (sign * 2, style), (f" {formatting.count(int(least))}", quiet)]
        return line

    def _readout(self, strip: Strip) -> Pieces | None:
        picked = self.picked
        if picked is None:
            return None
        samples = formatting.plural(strip.count(picked.start, picked.end), "sample")
        return [(when(picked, self._offset), self.look("strip--strong")), (f" · {samples}", self.look())]

    # ------------------------------------------------------------ cursor and range

    def _go(self, ns: int) -> None:
        """Move the cursor; the first time, to the newest sample."""
        strip = self._strip
        if strip is None:
            return
        first, last = strip.start(self._reach.start), strip.start(self._reach.end - 1)
        self.cursor = last if self.cursor is None else max(first, min(self.cursor + ns, last))

    def move(self, ns: int) -> None:
        """Move the cursor; while a range is being selected, extend it."""
        if not self.choosing:
            self._anchor = None
        self._go(ns)
        self._changed()

    def _changed(self) -> None:
        self.post_message(self.Moved())
        self.refresh_bindings()
        self.update_lines()

    def action_aside(self, step: int) -> None:
        self.move(step * NS)

    def action_move(self, step: int) -> None:
        self.move(-step * (self._strip.part if self._strip else 0))

    def action_page(self, direction: int) -> None:
        self.move(direction * PAGE * NS)

    def action_edge(self, direction: int) -> None:
        self._go(0)
        self.move(direction * (self._reach.end - self._reach.start))

    def action_choose(self, step: int) -> None:
        """Widen the range by a cell, or by a second. 0 begins a range that moving widens, or ends that."""
        if step == 0:
            self.choosing = not self.choosing
            if not self.choosing:
                return
            self._anchor = None
        if self.cursor is None:
            self._go(0)
        if self._anchor is None:
            self._anchor = self.cursor
        self._go(step // 2 * NS if step % 2 == 0 else step * (self._strip.part if self._strip else 0))
        self._changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "zoom" or self.picked is not None

    def action_zoom(self) -> None:
        if self.picked is not None:
            self.choosing = False
            self.post_message(self.Zoomed(self.picked))

    def action_turn(self) -> None:
        self.post_message(self.Turned())

    def let_go(self) -> bool:
        """Clear the range, or else the cursor; False if there was neither."""
        if self._anchor is None and self.cursor is None:
            return False
        if self._anchor is None:
            self.cursor = None
        self._anchor, self.choosing = None, False
        self._changed()
        return True

    # ------------------------------------------------------------ mouse

    def _under(self, event: events.MouseEvent) -> int | None:
        strip = self._strip
        if strip is None:
            return None
        column = max(0, min(event.x - LABEL, strip.columns - 1))
        row = max(0, min(len(strip.counts) - event.y, len(strip.counts) - 1))
        moment = strip.begin + column * NS + row * strip.part
        return max(strip.start(self._reach.start), min(moment, strip.start(self._reach.end - 1)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1 and (here := self._under(event)) is not None:
            self.cursor, self._anchor, self.choosing = here, None, False
            self.capture_mouse()
            self._changed()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        here = self._under(event)
        if self.app.mouse_captured is self and here is not None and here != self.cursor:
            self._anchor = self.cursor if self._anchor is None else self._anchor
            self.cursor = here
            self._changed()

    def on_mouse_up(self) -> None:
        self.release_mouse()


def rows_for(lines: int) -> int:
    """Parts of a second that fit into this many lines."""
    return next((rows for rows in ROWS if rows <= lines), ROWS[-1])


def when(span: Span, offset: int) -> str:
    """`08:33:46.250 for 300 ms`. offset: ns from the monotonic to the realtime clock."""
    clock = formatting.clock(span.start + offset)
    return f"{clock} for {formatting.value(span.end - span.start, 'ns')}"
