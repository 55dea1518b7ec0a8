"""The whole past in one or two lines: a number of the view in front, failures and losses, and the
position of the span.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.style import Style
from textual import events
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.model.past.span import Span
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.line import merged
from ebpftop.ui.drawing.spans import clock
from ebpftop.ui.drawing.theme import NOT_HERE, WARNING
from ebpftop.ui.messages import SpanAsked
from ebpftop.ui.widgets.kept import Kept
from ebpftop.ui.widgets.sparkline import LEVELS

if TYPE_CHECKING:
    from ebpftop.model.timeline import Tracks

LEFT, RIGHT = 9, 15  # cells beside the columns: where the past begins, and what the highest column stands for
TWO = 30  # lines of the screen from which it has two
MARK = "▼"
EDGE = "▏"  # where the last sample is

Mark = tuple[int, str]  # a moment (monotonic ns) and its text


class TimelineState(Struct, frozen=True):
    """values: 0 … 1 per column of `width` ns from `begin` on (monotonic), NaN if unknown. now: the last sample; end: of
    the known time, on a tape also after `now`. span: what the screen shows; live: whether it moves with time. a: the
    span that it is or will be compared with; compares: whether it is. offset: of the realtime clock, ns. greatest: the
    highest value. note: what has been dropped from memory. lost: times of losses, or when a host was missing. failures,
    marks: moments.
    """

    values: tuple[float, ...] = ()
    begin: int = 0
    width: int = 1
    now: int = 0
    end: int = 0
    span: Span | None = None
    a: Span | None = None
    compares: bool = False
    live: bool = True
    offset: int = 0
    greatest: str = ""
    note: str = ""
    lost: tuple[Span, ...] = ()
    failures: tuple[int, ...] = ()
    marks: tuple[Mark, ...] = ()

    def columns(self, span: Span) -> range:
        """The columns that a span touches, at least one."""
        first = max(0, (span.start - self.begin) // self.width)
        last = max(first, (span.end - 1 - self.begin) // self.width)
        return range(min(first, len(self.values)), min(last + 1, len(self.values)))


class Timeline(Kept):
    """Clicking selects a moment, dragging a span."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "timeline--bar",
        "timeline--span",
        "timeline--quiet",
        "timeline--live",
        "timeline--bad",
        "timeline--mark",
        "timeline--a",
        "timeline--letter",
    }
    DEFAULT_CSS = """
    Timeline {
        height: 1;
        background: $background;
        &.-two { height: 2; }
        & > .timeline--bar { color: $primary; }
        & > .timeline--span { color: $primary; background: $cursor; text-style: bold; }
        & > .timeline--quiet { color: $quiet; }
        & > .timeline--live { color: $success; }
        & > .timeline--bad { color: $warning; text-style: bold; }
        & > .timeline--mark { color: $secondary; text-style: bold; }
        & > .timeline--a { color: $secondary; background: $cursor-quiet; text-style: bold; }
        & > .timeline--letter { color: $foreground; text-style: bold; }
        &:nocolor > .timeline--span { text-style: reverse; }
        &:nocolor > .timeline--a { text-style: underline; }
        &:nocolor > .timeline--letter { text-style: bold reverse; }
    }
    """

    state: reactive[TimelineState] = reactive(TimelineState(), repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.tracks: Tracks | None = None  # what its columns are read from
        self._dragged: int | None = None  # the column where the button was pressed

    def watch_state(self) -> None:
        self.update_lines()

    def on_mount(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        two = self.app.size.height >= TWO
        if self.has_class("-two") is not two:
            self.set_class(two, "-two")

    @property
    def cells(self) -> int:
        """The number of columns."""
        return max(1, (self.size.width or self.app.size.width) - LEFT - RIGHT - 3)

    def draw(self) -> list[Strip]:
        state, width, height = self.state, *self.size
        if not state.values:
            return []
        signs = self._signs(state) | _letters(state)
        above = self._above(state, {} if height > 1 else signs)
        lines = [self._line(f" {clock(state.begin, state.offset)}", above, state.greatest, width)]
        if height > 1:
            lines.append(self._line("", self._below(state, signs), state.note, width))
        return lines

    def _line(self, left: str, columns: list[tuple[str, str]], right: str, width: int) -> Strip:
        quiet, blank = self.look("timeline--quiet"), self.look()
        pieces = [(f"{left:<{LEFT}} ", quiet), *((text, self._look(look)) for text, look in columns)]
        pieces.append((f" {cell(right)[:RIGHT]:<{RIGHT}} ", blank))
        return merged(pieces, sum(len(text) for text, _ in pieces), width, blank)

    def _look(self, name: str) -> Style:
        return self.look(f"timeline--{name}" if name else "")

    def _above(self, state: TimelineState, signs: dict[int, tuple[str, str]]) -> list[tuple[str, str]]:
        """One cell per column; if there is only one line, signs replace numbers."""
        inside = state.columns(state.span) if state.span else range(0)
        before = state.columns(state.a) if state.a else range(0)
        edge = state.columns(Span(state.now - 1, state.now)).stop
        drawn = []
        for at, value in enumerate(state.values):
            text = " " if math.isnan(value) else LEVELS[min(7, max(0, math.ceil(value * 8) - 1))]
            if at == edge:
                drawn.append((EDGE, "live" if state.live else "quiet"))
            elif at in signs:
                drawn.append(signs[at])
            else:
                drawn.append((text, "span" if at in inside else "a" if at in before else "bar"))
        return drawn

    def _below(self, state: TimelineState, signs: dict[int, tuple[str, str]]) -> list[tuple[str, str]]:
        """The span and A as brackets, and signs."""
        inside = state.columns(state.span) if state.span else range(0)
        before = state.columns(state.a) if state.a else range(0)
        look = "live" if state.live else "bar"
        drawn = []
        for at in range(len(state.values)):
            text = _bracket(inside, at)
            drawn.append(signs.get(at, (text, look) if text != " " else (_bracket(before, at), "quiet")))
        return drawn

    def _signs(self, state: TimelineState) -> dict[int, tuple[str, str]]:
        """The most important sign of each column."""
        signs: dict[int, tuple[str, str]] = {}
        for moment, _ in state.marks:
            signs.update(dict.fromkeys(state.columns(Span(moment - 1, moment)), (MARK, "mark")))
        for span in state.lost:
            signs.update(dict.fromkeys(state.columns(span), (WARNING, "bad")))
        for moment in state.failures:
            signs.update(dict.fromkeys(state.columns(Span(moment - 1, moment)), (NOT_HERE, "bad")))
        return signs

    # ------------------------------------------------------------ the mouse

    def _column(self, x: int) -> int:
        return min(max(0, x - LEFT - 1), len(self.state.values) - 1)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self.state.values:
            self._dragged = self._column(event.x)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged is not None and self._column(event.x) != self._dragged:
            self._ask(self._dragged, self._column(event.x))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragged is None:
            return
        first, last, self._dragged = self._dragged, self._column(event.x), None
        self.release_mouse()
        if first == last:
            state = self.state
            moment = min(state.end, state.begin + first * state.width + state.width // 2)
            self.post_message(SpanAsked(Span(moment, moment)))
        else:
            self._ask(first, last)

    def _ask(self, one: int, other: int) -> None:
        state = self.state
        first, last = sorted((one, other))
        end = min(state.end, state.begin + (last + 1) * state.width)
        self.post_message(SpanAsked(Span(min(end - 1, state.begin + first * state.width), end)))


def _bracket(inside: range, at: int) -> str:
    if at not in inside:
        return " "
    if len(inside) == 1:
        return "┴"
    return "╰" if at == inside.start else "╯" if at == inside.stop - 1 else "─"


def _letters(state: TimelineState) -> dict[int, tuple[str, str]]:
    """The beginnings of A and, while they are compared, of B; side by side if they are the same."""
    if state.a is None or state.a.end <= state.begin:
        return {}
    a = state.columns(state.a).start
    if not state.compares or state.span is None:
        return {a: ("A", "letter")}
    b = state.columns(state.span).start
    if a == b:
        later = state.span.start >= state.a.start
        a, b = (a, a + 1) if later else (b + 1, b)
        if max(a, b) == len(state.values):
            a, b = a - 1, b - 1
    return {a: ("A", "letter"), b: ("B", "letter")}


def heights(values: Sequence[float], *, logarithmic: bool) -> tuple[float, ...]:
    """Values as shares of the greatest; logarithmic ones as shares of their range."""
    known = [value for value in values if value > 0]
    if not known:
        return tuple(math.nan if math.isnan(value) else 0.0 for value in values)
    if not logarithmic:
        top = max(known)
        return tuple(value / top for value in values)
    low, high = math.log(min(known)), math.log(max(known))
    reach = max(high - low, 1.0)
    return tuple((math.log(value) - low + reach / 8) / (reach * 9 / 8) if value > 0 else math.nan for value in values)
