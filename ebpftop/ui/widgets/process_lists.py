"""The lists of a process's page, as many at once as there is room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ebpftop.frames.messages import ProcessFacts
from ebpftop.model.one_process import More, Said
from ebpftop.stats import formatting
from ebpftop.ui.widgets.cached import Box, Column
from ebpftop.ui.widgets.grid import WHOLE
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.process_rows import CPU, FD, file_rows, more_rows, said_rows, socket_rows, thread_rows
from ebpftop.ui.widgets.rows import Rows
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

WIDE, TALL, TALLEST = 100, 30, 46  # cells from which three lists are shown, and all of them
READING = "reading…"


class Tabs(Words):
    """The names of the lists, with the one in front marked."""

    DEFAULT_CSS = "Tabs { height: 1; padding: 0 1; }"
    titles: reactive[tuple[str, ...]] = reactive((), repaint=False)
    current: reactive[int] = reactive(0, repaint=False)

    def watch_titles(self) -> None:
        self.update_lines()

    def watch_current(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        styles = ("bold reverse" if at == self.current else "$quiet" for at in range(len(self.titles)))
        parts = [Content.styled(f" {title} ", style) for title, style in zip(self.titles, styles, strict=True)]
        return Content("").join(parts).truncate(self.size.width, ellipsis=True)


class PageGrid(TableGrid):
    """A table, and the text while it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick", "open", key_display="Enter", tooltip="Go to the view, or load the probe"),
        *WHOLE,
    ]

    def __init__(self, nothing: str, sort: str | None = None, *, picks: bool = False, ascending: bool = False) -> None:
        super().__init__(sort, picks=picks)
        self.descending = not ascending
        self.nothing = nothing

    @property
    def empty(self) -> str:
        return super().empty if self.wanted else self.nothing


class ListFrame(TableFrame):
    grid: PageGrid

    def show(self, rows: Rows, about: str = "") -> None:
        """about: what the title says of them."""
        self.span_words = about
        self.grid.show(rows)
        self.retitle()


class ProcessLists(Column):
    """whole: whether there is more than the probes' counts."""

    DEFAULT_CSS = """
    ProcessLists {
        height: 1fr;
        & > #lists { layout: grid; grid-size: 1 1; height: 1fr; }
    }
    """

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.tabs = Tabs()
        self.said = ListFrame("Running probes", PageGrid("no probe runs", picks=True))
        self.more = ListFrame("Load for this process", PageGrid("no probe here takes a pid", picks=True))
        self.threads = ListFrame("Threads", PageGrid(READING, CPU))
        self.files = ListFrame("Open files", PageGrid(READING, FD, ascending=True))
        self.sockets = ListFrame("Sockets", PageGrid(READING, FD, ascending=True))
        self.frames = [self.said, self.more, self.threads, self.files, self.sockets] if whole else [self.said]
        self._at = 0
        self._third = self.frames[-1]  # what is shown beside the first two
        self._counts: dict[ListFrame, int] = {}

    def compose(self) -> Iterable[Widget]:
        yield self.tabs
        with Box(id="lists"):
            yield from self.frames

    def on_mount(self) -> None:
        self._third = self.frames[min(2, len(self.frames) - 1)]
        self._place()
        self._entitle_tabs()

    def on_resize(self) -> None:
        self._place()

    @property
    def front(self) -> ListFrame:
        """The one that keys act on."""
        return self.frames[self._at]

    def focus_front(self) -> None:
        self.screen.set_focus(self.front.grid)

    def turn(self, step: int) -> None:
        """Turn to the next list."""
        self._go((self._at + step) % len(self.frames))
        self.call_after_refresh(self.focus_front)

    def on_descendant_focus(self) -> None:
        """The focus can also change with the mouse."""
        inside = [at for at, frame in enumerate(self.frames) if frame.has_focus_within]
        if inside and inside[0] != self._at:
            self._go(inside[0])

    def _go(self, at: int) -> None:
        self._at = at
        if at > 1:
            self._third = self.frames[at]
        self._place()

    def _place(self) -> None:
        width, height = self.app.size
        several = width >= WIDE and height >= TALL and len(self.frames) > 1
        shown = [self.front]
        if several:
            shown = self.frames if height >= TALLEST else [*self.frames[:2], self._third]
        box = self.query_one("#lists")
        box.styles.grid_size_columns = 2 if several else 1
        box.styles.grid_size_rows = -(-len(shown) // 2) if several else 1
        for frame in self.frames:
            frame.display = frame in shown
            frame.styles.column_span = 2 if several and frame is shown[-1] else 1
        self.tabs.display = len(shown) < len(self.frames)
        self.tabs.current = self._at

    # ------------------------------------------------------------ what they show

    def show_said(self, found: Sequence[Said], covers: str) -> None:
        """covers: the time that the numbers cover."""
        self.said.show(said_rows(found), covers)

    def show_more(self, found: Sequence[More], loaded: Mapping[str, str]) -> None:
        """loaded: signs of those that were loaded for this process."""
        self.more.show(more_rows(found, loaded))

    def show_none(self, why: str) -> None:
        """Nothing was read of it."""
        for frame in (self.threads, self.files, self.sockets):
            if frame.grid.nothing != why:
                frame.grid.nothing = why
                frame.grid.update_lines()

    def show_facts(self, facts: ProcessFacts, percents: Mapping[int, float]) -> None:
        """percents: of a CPU, by thread."""
        self.threads.grid.nothing, self.files.grid.nothing = "no threads", "no open files"
        self.sockets.grid.nothing = "no sockets"
        self._counts = {
            self.threads: facts.thread_count,
            self.files: facts.file_count,
            self.sockets: facts.socket_count,
        }
        rows = (thread_rows(facts.threads, percents), file_rows(facts.files), socket_rows(facts.sockets))
        for (frame, count), shown in zip(self._counts.items(), rows, strict=True):
            left = count - shown.count
            frame.show(shown, f"and {formatting.count(left)} more" if left > 0 else "")
        self._entitle_tabs()

    def _entitle_tabs(self) -> None:
        counts = self._counts
        self.tabs.titles = tuple(
            f"{frame.title} {formatting.count(counts[frame])}" if frame in counts else frame.title
            for frame in self.frames
        )
