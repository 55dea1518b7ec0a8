"""The catalog: categories and their probes, a sign and a reason on each line, searched as you type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import Input

from ebpftop.frames.messages import ProbeInfo
from ebpftop.ui.inert import inert
from ebpftop.ui.line import painted
from ebpftop.ui.messages import Chosen, LoadAsked
from ebpftop.ui.moves import MOVES
from ebpftop.ui.theme import CLOSED, NOT_HERE, OPEN, RUNNABLE, RUNNING, UNKNOWN
from ebpftop.ui.widgets.painter import Painter


@dataclass(frozen=True, slots=True)
class RunState:
    """How a probe stands that was loaded: `loading`, `running` or `rejected`, and a few words for the right end."""

    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A category (no probe) or a probe."""

    category: str
    probe: ProbeInfo | None = None


class CatalogTree(Painter, can_focus=True):
    """The lines. `probes` and `states` come from the session; search, folding and the cursor are its own."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "catalog--category",
        "catalog--quiet",
        "catalog--running",
        "catalog--rejected",
        "catalog--cursor",
        "catalog--cursor-quiet",
    }
    DEFAULT_CSS = """
    CatalogTree {
        height: 1fr;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        & > .catalog--category { color: $quiet; text-style: bold; }
        & > .catalog--quiet { color: $quiet; }
        & > .catalog--running { color: $success; text-style: bold; }
        & > .catalog--rejected { color: $error; }
        & > .catalog--cursor { background: $cursor; text-style: bold; }
        & > .catalog--cursor-quiet { background: $cursor-quiet; }
        &:nocolor > .catalog--cursor { text-style: reverse; }
        &:nocolor > .catalog--cursor-quiet { text-style: underline; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "load", "load", key_display="Enter", tooltip="Load the probe, or show it if it runs"),
        Binding("enter", "show", "show", key_display="Enter", tooltip="Show what a tape holds of the probe"),
        Binding("p", "parameters", "parameters", tooltip="Fill in its parameters, then load it"),
        Binding("left", "fold(True)", "close the category", show=False, tooltip="Close the category, or open it"),
        Binding("right", "fold(False)", "open the category", show=False),
        *MOVES,
    ]

    cursor: reactive[int] = reactive(0)
    wanted: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__()
        self.loads = True  # whether probes can be loaded
        self.folds = True  # by arrows, which on a tape have other work
        self._probes: list[ProbeInfo] = []
        self._states: Mapping[str, RunState] = {}
        self._folded: set[str] = set()
        self._lines: list[Line] = []

    # ------------------------------------------------------------ what it shows

    def show(self, probes: Iterable[ProbeInfo], states: Mapping[str, RunState]) -> None:
        listed = sorted(probes, key=lambda probe: (probe.category, probe.id))
        if (listed, states) != (self._probes, self._states):
            self._probes, self._states = listed, states
            self._arrange()

    @property
    def category(self) -> list[ProbeInfo]:
        """All probes of the category under the cursor."""
        name = self._lines[self.cursor].category if self.cursor < len(self._lines) else None
        return [probe for probe in self._probes if probe.category == name]

    @property
    def chosen(self) -> ProbeInfo | None:
        return self._lines[self.cursor].probe if self.cursor < len(self._lines) else None

    def choose(self, probe: str) -> None:
        """Put the cursor on a probe, if it is listed."""
        for at, line in enumerate(self._lines):
            if line.probe and line.probe.id == probe:
                self.cursor = at

    def _arrange(self) -> None:
        """Lay the lines out again and keep the cursor on what it was on."""
        was = self._lines[self.cursor] if self.cursor < len(self._lines) else None
        lines: list[Line] = []
        for probe in self._probes:
            if not _matches(probe, self.wanted):
                continue
            if not lines or lines[-1].category != probe.category:
                lines.append(Line(probe.category))
            if self.wanted or probe.category not in self._folded:
                lines.append(Line(probe.category, probe))
        self._lines = lines
        self.virtual_size = Size(self.size.width, len(lines))
        self.set_reactive(CatalogTree.cursor, self._same(was))
        self.post_message(Chosen(self.chosen.id if self.chosen else None))
        self.refresh()

    def _same(self, was: Line | None) -> int:
        name = was.probe.id if was and was.probe else None
        for at, line in enumerate(self._lines):
            if was and line.category == was.category and (line.probe.id if line.probe else None) == name:
                return at
        return next((at for at, line in enumerate(self._lines) if line.probe), 0)

    def watch_wanted(self) -> None:
        self._arrange()
        first = next((at for at, line in enumerate(self._lines) if line.probe), 0)
        if self.wanted and first != self.cursor:
            self.cursor = first
        self.scroll_to(y=0, animate=False)

    def watch_cursor(self) -> None:
        self.refresh()
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)
        self.post_message(Chosen(self.chosen.id if self.chosen else None))

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._lines) - 1))

    # ------------------------------------------------------------ drawing

    def on_resize(self, _event: events.Resize) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        at = y + self.scroll_offset.y
        width = self.size.width
        if at >= len(self._lines):
            return Strip.blank(width, self.look())
        line = self._lines[at]
        strip = Strip(self._probe(line.probe, width) if line.probe else self._category(line))
        strip = strip.adjust_cell_length(width, self.look()).simplify()
        if at == self.cursor:
            name = "catalog--cursor" if self.has_focus else "catalog--cursor-quiet"
            strip = painted(strip, self.mark(name))
        return strip.apply_offsets(0, at)

    def _category(self, line: Line) -> list[Segment]:
        sign = CLOSED if line.category in self._folded and not self.wanted else OPEN
        return [Segment(f"{sign} {inert(line.category)}", self.look("catalog--category"))]

    def _probe(self, probe: ProbeInfo, width: int) -> list[Segment]:
        state = self._states.get(probe.id)
        sign, style, note = _sign(probe, state)
        look = self.look(f"catalog--{style}") if style else self.look()
        quiet = self.look("catalog--quiet")
        name = inert(probe.id.partition("/")[2] or probe.id)
        head = f"  {sign} {name}"
        room = width - Content(head).cell_length - 3
        tail = Content(inert(note)).truncate(max(room, 0), ellipsis=True).plain if room > 3 else ""
        gap = max(1, width - Content(head).cell_length - Content(tail).cell_length - 1) if style == "running" else 2
        dim = quiet if style == "quiet" else self.look()
        return [
            Segment(f"  {sign} ", look),
            Segment(name, self.look() + look if style in ("running", "rejected") else dim),
            Segment(" " * gap + tail, quiet),
        ]

    # ------------------------------------------------------------ keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return {"fold": self.folds, "parameters": self.loads, "load": self.loads, "show": not self.loads}.get(
            action, True
        )

    def action_move(self, step: int) -> None:
        self.cursor += step

    def action_page(self, direction: int) -> None:
        self.cursor += direction * max(1, self.size.height - 1)

    def action_edge(self, direction: int) -> None:
        self.cursor = 0 if direction < 0 else len(self._lines) - 1

    def action_load(self) -> None:
        if self.chosen:
            self.post_message(LoadAsked(self.chosen.id))
        elif self._lines:
            self._fold(self._lines[self.cursor].category not in self._folded)

    def action_show(self) -> None:
        self.action_load()

    def action_parameters(self) -> None:
        if self.chosen:
            self.post_message(LoadAsked(self.chosen.id, form=True))

    def action_fold(self, close: bool) -> None:
        self._fold(close)

    def _fold(self, close: bool) -> None:
        if not self._lines or self.wanted:
            return
        category = self._lines[self.cursor].category
        (self._folded.add if close else self._folded.discard)(category)
        at = next(at for at, line in enumerate(self._lines) if line.category == category)
        if close:
            self.cursor = at
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y
        if at < len(self._lines):
            again = at == self.cursor
            self.cursor = at
            if self._lines[at].probe is None or (again and event.chain == 2):
                self.action_load()


class SearchLine(Input):
    """One line to type into; the cursor of the listing moves and loads from here."""

    DEFAULT_CSS = """
    SearchLine {
        height: 1;
        border: none;
        padding: 0;
        background: $bar-back;
        &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave(True)", "load", key_display="Enter", tooltip="Load the probe under the cursor"),
        Binding("up", "move(-1)", "choose before", show=False, tooltip="Move the cursor of the catalog"),
        Binding("down", "move(1)", "choose", key_display="↑↓"),
        Binding("escape", "clear", "clear", key_display="Esc", tooltip="Drop the search"),
    ]

    class Moved(Message):
        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Left(Message):
        def __init__(self, load: bool) -> None:
            super().__init__()
            self.load = load

    def action_move(self, step: int) -> None:
        self.post_message(self.Moved(step))

    def action_leave(self, load: bool) -> None:
        self.post_message(self.Left(load))

    def action_clear(self) -> None:
        self.value = ""
        self.post_message(self.Left(False))


class CatalogPanel(Vertical):
    """The tree with its search line above and its sum below."""

    DEFAULT_CSS = """
    CatalogPanel {
        border: round $rim;
        border-title-color: $quiet;
        border-subtitle-color: $quiet;
        padding: 0 0 0 1;
        &:focus-within { border: round $primary; border-title-color: $foreground; }
        &:nocolor:focus-within { border: heavy $primary; }
        & > SearchLine { margin: 0 1 1 0; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="catalog")
        self.border_title = "Catalog"
        self.listing = CatalogTree()
        self.search = SearchLine(placeholder="/ search", select_on_focus=False)

    def compose(self) -> Iterable[Input | CatalogTree]:
        yield self.search
        yield self.listing

    def show(self, probes: list[ProbeInfo], states: Mapping[str, RunState]) -> None:
        self.listing.show(probes, states)
        here = sum(probe.available is True for probe in probes)
        missing = sum(probe.available is False for probe in probes)
        unknown = len(probes) - here - missing
        sums = ((RUNNABLE, here, "runnable"), (NOT_HERE, missing, "not here"), (UNKNOWN, unknown, "unknown"))
        roomy = self.size.width >= 40
        words = [f"{sign} {number} {word}" if roomy else f"{sign} {number}" for sign, number, word in sums if number]
        self.border_subtitle = Content("  ".join(words))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.listing.wanted = event.value.strip()

    def on_search_line_left(self, event: SearchLine.Left) -> None:
        event.stop()
        self.listing.wanted = self.search.value.strip()  # Enter may overtake the message of the last letters
        self.listing.focus()
        if event.load and (chosen := self.listing.chosen):
            self.search.value = ""
            self.post_message(LoadAsked(chosen.id))  # from here: the listing's own would end at its sender, this panel

    def on_search_line_moved(self, event: SearchLine.Moved) -> None:
        event.stop()
        self.listing.action_move(event.step)


def _matches(probe: ProbeInfo, query: str) -> bool:
    text = " ".join((probe.id, probe.title, probe.summary, probe.question)).lower()
    return all(word in text for word in query.lower().split())


def _sign(probe: ProbeInfo, state: RunState | None) -> tuple[str, str, str]:
    """The sign of a line, the name of its style, and the words behind the name."""
    if state and state.state in ("running", "loading"):
        return RUNNING, "running", state.note
    if state:
        return NOT_HERE, "rejected", state.note
    if probe.available is False:
        return NOT_HERE, "quiet", probe.reason or "not here"
    if probe.available is None:
        return UNKNOWN, "quiet", probe.reason or "known only to root"
    return RUNNABLE, "", ""
