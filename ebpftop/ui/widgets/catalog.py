"""The catalog: a sign, a name and a note on each line, searched as you type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import Input

from ebpftop.frames.messages import Catalog, PlaybookInfo, ProbeInfo
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import painted
from ebpftop.ui.drawing.theme import CLOSED, NOT_HERE, OPEN, RUNNABLE, UNKNOWN
from ebpftop.ui.messages import Chosen, EditAsked, LoadAsked, PlayAsked
from ebpftop.ui.widgets.entries import Entry, Line, RunState, arranged, entries, first, sign
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.painter import Painter
from ebpftop.ui.widgets.rim import Rim

WAIT = "reading the catalog…"
FAILED = "failed"  # where there is no room to say how
_ROOMY = 50  # columns from which a question fits beside each name


class CatalogTree(Painter, can_focus=True):
    """The lines. The session provides the catalog and `states`; search, folding and the cursor are kept here."""

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
        Binding("enter", "load", "load", key_display="Enter", tooltip="Load the probe, or show it while it runs"),
        Binding("enter", "show", "show", key_display="Enter", tooltip="Show the tape's data for the probe"),
        Binding("p", "parameters", "parameters", tooltip="Set the parameters, then load", id="parameters"),
        Binding("e", "edit", "edit", show=False, tooltip="Edit its C; saving reloads it", id="edit"),
        Binding("left", "fold(True)", "collapse the category", show=False, tooltip="Collapse or expand the category"),
        Binding("right", "fold(False)", "expand the category", show=False),
        *MOVES,
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    wanted: reactive[str] = reactive("", repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.loads = True  # whether probes can be loaded
        self._catalog: Catalog | None = None
        self._entries: list[Line] = []
        self._states: Mapping[str, RunState] = {}
        self._folded: set[str] = set()
        self._lines: list[Line] = []
        self._drawn: dict[int, tuple[object, Strip]] = {}  # each line, and what it was drawn from

    # ------------------------------------------------------------ what it shows

    def show(self, catalog: Catalog | None, states: Mapping[str, RunState]) -> None:
        lines = self._entries if catalog is self._catalog else entries(catalog)
        arranged, said = lines == self._entries, states == self._states
        self._catalog, self._entries, self._states = catalog, lines, states
        if not arranged:
            self._arrange()
        elif not said:
            self.update_lines()

    @property
    def category(self) -> list[Entry]:
        """All entries of the category under the cursor."""
        name = self._lines[self.cursor].category if self.cursor < len(self._lines) else None
        return [line.entry for line in self._entries if line.category == name and line.entry]

    @property
    def entry(self) -> Entry | None:
        """The entry under the cursor; None if that is a category."""
        return self._lines[self.cursor].entry if self.cursor < len(self._lines) else None

    @property
    def chosen(self) -> ProbeInfo | None:
        """The probe under the cursor."""
        return self.entry if isinstance(self.entry, ProbeInfo) else None

    def _arrange(self) -> None:
        """Rebuild the lines and keep the cursor on the same entry."""
        was = self._lines[self.cursor] if self.cursor < len(self._lines) else None
        self._lines = list(arranged(self._entries, self.wanted, self._folded))
        self._drawn.clear()
        self.reach(self.size.width, len(self._lines))
        self.set_reactive(CatalogTree.cursor, self._same(was))
        self.post_message(Chosen())
        self.update_lines()

    def _same(self, was: Line | None) -> int:
        same = (at for at, line in enumerate(self._lines) if was and line.is_same(was))
        return next(same, first(self._lines))

    def watch_wanted(self) -> None:
        self._arrange()
        if self.wanted:
            self.cursor = first(self._lines)
        self.scroll_to(y=0, animate=False)

    def watch_cursor(self) -> None:
        self.update_lines()
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)
        self.post_message(Chosen())

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._lines) - 1))

    # ------------------------------------------------------------ drawing

    def notify_style_update(self) -> None:
        self._drawn.clear()
        super().notify_style_update()

    def on_resize(self, _event: events.Resize) -> None:
        self.reach(self.size.width, len(self._lines))

    def line(self, y: int) -> Strip:
        at = y + self.scroll_offset.y
        width = self.size.width
        if not self._lines and y < 3:
            return Strip([Segment(self._empty[y], self.look("catalog--quiet"))]).adjust_cell_length(width, self.look())
        if at >= len(self._lines):
            return Strip.blank(width, self.look())
        line = self._lines[at]
        state = self._states.get(line.entry.id) if isinstance(line.entry, ProbeInfo) else None
        drawn_from, strip = self._drawn.get(at, (None, Strip([])))
        if drawn_from != (state, width):
            strip = Strip(self._entry(line, line.entry, width) if line.entry else self._category(line))
            strip = strip.adjust_cell_length(width, self.look()).simplify()
            self._drawn[at] = (state, width), strip
        if at == self.cursor:
            name = "catalog--cursor" if self.has_focus else "catalog--cursor-quiet"
            strip = painted(strip, self.mark(name))
        return strip.apply_offsets(0, at)

    @property
    def _empty(self) -> tuple[str, str, str]:
        """The text if there is no line."""
        if self.waits:
            return WAIT, "", ""
        return (
            f"nothing matches “{inert(self.wanted)}”",
            "try one word: latency, disk",
            "Esc shows everything",
        )

    @property
    def waits(self) -> bool:
        """Whether the catalog isn't there yet."""
        return not self._entries

    @property
    def found(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self._lines)

    def _category(self, line: Line) -> list[Segment]:
        fold = CLOSED if line.category in self._folded and not self.wanted else OPEN
        return [Segment(f"{fold} {inert(line.category)}", self.look("catalog--category"))]

    def _entry(self, line: Line, entry: Entry, width: int) -> list[Segment]:
        state = self._states.get(entry.id) if isinstance(entry, ProbeInfo) else None
        mark, style, note = sign(entry, state)
        if not note and isinstance(entry, ProbeInfo) and width >= _ROOMY:
            note = entry.question
        look = self.look(f"catalog--{style}") if style else self.look()
        quiet = self.look("catalog--quiet")
        name = inert(line.name)
        head = f"  {mark} {name}"
        room = width - Content(head).cell_length - 3
        close = style == "rejected" and state is not None and Content(note).cell_length > room
        if close:  # a cut word says less than a short one
            room += 2
            note = note if Content(note).cell_length <= room else FAILED
        tail = Content(inert(note)).truncate(max(room, 0), ellipsis=True).plain if room > 3 else ""
        gap = (
            max(1, width - Content(head).cell_length - Content(tail).cell_length - 1)
            if style == "running"
            else 1
            if close
            else 2
        )
        dim = quiet if style == "quiet" else self.look()
        return [
            Segment(f"  {mark} ", look),
            Segment(name, self.look() + look if style in ("running", "rejected") else dim),
            Segment(" " * gap + tail, quiet),
        ]

    # ------------------------------------------------------------ keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        known = {"parameters": self.loads, "edit": self.loads, "load": self.loads}
        return not self.loads if action == "show" else known.get(action, True)

    def action_move(self, step: int) -> None:
        self.cursor += step

    def action_page(self, direction: int) -> None:
        self.cursor += direction * max(1, self.size.height - 1)

    def action_edge(self, direction: int) -> None:
        self.cursor = 0 if direction < 0 else len(self._lines) - 1

    def action_load(self) -> None:
        if asked := self.asked:
            self.post_message(asked)
        elif self.waits:
            self.notify(WAIT, markup=False)
        elif self._lines and self.entry is None:
            self._fold(self._lines[self.cursor].category not in self._folded)

    @property
    def asked(self) -> LoadAsked | PlayAsked | None:
        """The request that Enter sends; None if the cursor isn't on anything that can be loaded."""
        match self.entry:
            case ProbeInfo(id=probe):
                return LoadAsked(probe)
            case PlaybookInfo(name=name):
                return PlayAsked(name)
        return None

    def action_show(self) -> None:
        self.action_load()

    def action_parameters(self) -> None:
        if self.chosen:
            self.post_message(LoadAsked(self.chosen.id, form=True))

    def action_edit(self) -> None:
        if self.chosen:
            self.post_message(EditAsked(self.chosen.id))

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
            if self._lines[at].entry is None or (again and event.chain == 2):
                self.action_load()


class SearchLine(Input):
    """The input line; ↑, ↓ and Enter act on the listing below it."""

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
        Binding("up", "move(-1)", "choose previous", show=False, tooltip="Move the catalog's cursor"),
        Binding("down", "move(1)", "choose", key_display="↑↓"),
        Binding("escape", "clear", "clear", key_display="Esc", tooltip="Clear the search"),
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


class CatalogPanel(Vertical, Rim):
    """The tree with the search line above it and the counts below."""

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
        self.entitle(Content("Catalog"))
        self.listing = CatalogTree()
        self.search = SearchLine(placeholder="/ search", select_on_focus=False)
        self._entered = ""  # the text at an Enter before the catalog was there

    def compose(self) -> Iterable[Input | CatalogTree]:
        yield self.search
        yield self.listing

    def show(self, catalog: Catalog | None, states: Mapping[str, RunState]) -> None:
        self.listing.show(catalog, states)
        if catalog and self._entered:
            if self._entered == self.search.value.strip() and self.search.has_focus:
                self.search.action_leave(True)
            self._entered = ""
        probes = catalog.probes if catalog else []
        here = sum(probe.available is True for probe in probes)
        missing = sum(probe.available is False for probe in probes)
        unknown = len(probes) - here - missing
        sums = ((RUNNABLE, here, "runnable"), (NOT_HERE, missing, "unavailable"), (UNKNOWN, unknown, "unknown"))
        roomy = self.size.width >= 40
        words = [f"{sign} {number} {word}" if roomy else f"{sign} {number}" for sign, number, word in sums if number]
        if catalog and catalog.problems:
            words.append(f"{len(catalog.problems)} unusable")
        self.entitle(Content("Catalog"), Content("  ".join(words)))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.listing.wanted = event.value.strip()

    def on_search_line_left(self, event: SearchLine.Left) -> None:
        event.stop()
        self.listing.wanted = self.search.value.strip()  # Enter may overtake the message about the last characters
        if event.load and not self.listing.found:
            self.listing.action_load()  # the text stays, to be corrected
            self._entered = self.listing.wanted if self.listing.waits else ""
            return
        self.screen.set_focus(self.listing)
        if event.load and (asked := self.listing.asked):
            self.search.value = ""
            self.post_message(asked)  # posted from here: a message from the listing would stop at this panel

    def on_search_line_moved(self, event: SearchLine.Moved) -> None:
        event.stop()
        self.listing.action_move(event.step)
