"""Every BPF program on the machine, the most expensive first."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from ebpftop.frames.messages import Programs, ReadPrograms
from ebpftop.model.programs import OFF, is_accounted, rated
from ebpftop.stats import formatting
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.reading import ReadingScreen
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.programs import COST, program_rows
from ebpftop.ui.widgets.table_grid import TableGrid

TITLE = "All BPF programs"


class OthersScreen(ReadingScreen):
    TAKES = "programs_read"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "filter", priority=True, tooltip="Filter programs as you type", id="filter"),
        Binding("A", "let_go", "back", show=False, id="all-programs"),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, ReadPrograms, TITLE, TableGrid(COST))
        self._last: Programs | None = None

    def take(self, read: object) -> None:
        """Show a reading, and the costs since the previous one."""
        if not self.answered() or not isinstance(read, Programs):
            return
        self.of(read.host)
        if read.error:
            self.say(read.error)
            return
        before, self._last = self._last, read
        self.frame.span_words = _state(before, read, statistics=self.feed.statistics)
        self.frame.grid.show(program_rows(rated(before, read), read))

    def on_grid_whole(self, event: Grid.Whole) -> None:
        self.app.push_screen(RowScreen(TITLE, event.fields))


def _state(before: Programs | None, now: Programs, *, statistics: bool) -> str:
    """The time over which costs are measured, or why there are none."""
    if not now.accounted:
        return f"{OFF}: c turns it on" if not statistics else OFF
    if before is None or not is_accounted(before, now):
        return "measuring…"
    return f"last {formatting.duration(now.monotonic_ns - before.monotonic_ns)}"
