"""The state of every thread of the machine: threads that wait for the same thing are one line, possibly stuck ones are
on top.
"""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

from textual.binding import Binding, BindingType

from ebpftop.frames.messages import UNKNOWN, Process, ReadThreads, Threads
from ebpftop.model.places import Place, Places
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.spans import clock
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import ProcessAsked
from ebpftop.ui.screens.reading import ReadingScreen
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.thread_rows import STATE, place_rows, whole

TITLE = "Threads: what they wait for"
OLD = 3  # seconds from which on the title says how old the reading is
NOT_YET = "not on the tape yet"


class ThreadsScreen(ReadingScreen):
    TAKES = "threads_read"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "filter", priority=True, tooltip="Filter threads as you type", id="filter"),
        Binding(
            "P",
            "process",
            "process",
            tooltip="Open the page of the process with the most threads in the row",
            id="process",
        ),
        Binding("W", "let_go", "back", show=False, id="threads"),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, ReadThreads, TITLE, TableGrid(STATE))
        self._places, self._host = Places(), ""
        self._shown: dict[int, Place] = {}
        self._starts: dict[int, int] = {}  # of processes, ns since boot
        self._taped: Threads | None = None  # the reading of a tape that is shown
        self._about, self._shown_at = "", 0.0  # what the title says of the reading, and since when (monotonic)

    async def look(self) -> None:
        if self.feed.source.live:
            await super().look()
            self._say_how_old()
        elif (read := self.feed.session.threads) is not self._taped:  # the tape has gone on, or back
            self._taped = read
            self._show(read if read is not None else Threads(monotonic_ns=0, boottime_ns=0, error=NOT_YET))

    def take(self, read: object) -> None:
        if self.feed.source.live and isinstance(read, Threads) and self.answered(read.took_ns / 1e9):
            self._show(read)

    def _say_how_old(self) -> None:
        """Say how old the reading is: reading many threads takes long, so the next one comes late."""
        if not self._about or self.feed.still or self.feed.ended is not None:
            return
        age = int(monotonic() - self._shown_at)
        words = f"{self._about}, {age} s ago" if age >= OLD else self._about
        if words != self.frame.span_words:
            self.say(words)

    def _show(self, read: Threads) -> None:
        self.of(read.host)
        if read.error:
            self._about = ""
            self.say(read.error)
            return
        if read.host != self._host:  # on a tape; threads of two hosts may have one number
            self._host, self._places = read.host, Places()
        places = self._places.take(read)
        self._shown = {each.number: each for each in places}
        self._starts = {each.tgid: each.start_ns for each in read.threads if each.tid == each.tgid}
        self.frame.span_words = self._about = ", ".join([*self._at(read), *_about(read)])
        self._shown_at = monotonic()
        self.frame.grid.show(place_rows(places))

    def _at(self, read: Threads) -> list[str]:
        """The time of a tape's reading: a tape has one only from time to time."""
        newest = self.feed.session.newest
        if self.feed.source.live or newest is None:
            return []
        return [f"as read at {clock(read.monotonic_ns, newest.realtime_ns - newest.monotonic_ns)}"]

    @property
    def _chosen(self) -> Place | None:
        return self._shown.get(int(self.frame.grid.pointed().get("number", 0)))

    def on_grid_whole(self, event: Grid.Whole) -> None:
        if self._chosen is not None:
            self.app.push_screen(RowScreen(TITLE, whole(self._chosen)))

    def action_process(self) -> None:
        """Open the process by its start time, too: otherwise the page could show another process with the same pid."""
        if self._chosen is None:
            return
        tgid, name, _ = self._chosen.owners[0]
        if start := self._starts.get(tgid, 0):
            self.post_message(ProcessAsked(Process(id=UNKNOWN, tgid=tgid, start_ns=start, comm=name)))
        else:
            self.notify(f"{cell(name)} {tgid} can't be read: it has ended, or reading it hangs", markup=False)


def _about(read: Threads) -> list[str]:
    count = formatting.plural(read.count, "thread")
    if len(read.threads) < read.count:
        count = f"{len(read.threads)} of {count}"
    return [count, *(f"not read: {each}" for each in read.unread[:1])]
