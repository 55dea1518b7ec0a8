"""Events, newest last: the list follows the newest until the user scrolls away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from textual.binding import Binding, BindingType
from textual.message import Message

from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.events import Chunk, EventLog
from ebpftop.model.shown import ShownColumn, shown_columns
from ebpftop.stats import formatting
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.drawing.query import holds, words_of
from ebpftop.ui.widgets.grid import Grid, GridColumn

KEPT = 10_000
Event = tuple[int | float | str, ...]  # one value per column of the view


class EventList(Grid):
    """The last events of one ring buffer. `take` appends the new ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end,G", "follow", "follow the newest", key_display="End", show=False),
    ]

    class Arranged(Message):
        """Following or the filter changed: the title is out of date."""

    def __init__(self, view: ViewInfo) -> None:
        super().__init__()
        self.infos = [info for info in view.columns if not info.hidden]
        shown = [each for each in shown_columns(self.infos) if not each.is_detail]
        self.columns = [_column(each, last=each is shown[-1]) for each in shown]
        self._by_id = {each.id: each for each in shown}
        self._details = [each for each in shown_columns(self.infos) if each.is_detail]
        self._kept: int | None = None  # the event under the cursor, by its number since the first one
        self.following = True
        self.wanted = ""
        self.processes: Processes = {}
        self._events: list[Event] = []
        self._found: range | list[int] = range(0)  # those the filter lets through, by number since the first one
        self._taken = 0

    def take(self, log: EventLog, processes: Processes) -> None:
        """Append the log's new events."""
        self.processes = processes
        if log.total < self._taken:
            self._events.clear()
            self._found, self._taken = range(0), 0
        before = self._taken
        for chunk in log.since(max(before, log.total - KEPT)):
            self._events += _events(chunk, self.infos)
        self._taken = log.total
        surplus = len(self._events) - KEPT
        if surplus > 0:
            del self._events[:surplus]
        self._search(before)

    def search(self, query: str) -> None:
        self.wanted = query
        self._search(0)

    def _search(self, since: int) -> None:
        """Filter the events from number `since` on; what was found before stays."""
        words, first = words_of(self.wanted), self._first
        if words:
            before = [number for number in self._found if first <= number < since]
            new = range(max(since, first), self._taken)
            self._found = before + [number for number in new if self._has(self._events[number - first], words)]
        else:
            self._found = range(first, self._taken)
        self._follow_cursor()
        self.changed()
        if self.following:
            self.scroll_end(animate=False, immediate=True)
        self.post_message(self.Arranged())

    @property
    def _first(self) -> int:
        """The number of the oldest event kept, since the first one."""
        return self._taken - len(self._events)

    def _follow_cursor(self) -> None:
        """Keep the cursor on its event; clear it if that is filtered out or no longer kept."""
        found = self._kept is not None and self._kept in self._found
        self.set_reactive(Grid.cursor, self._found.index(self._kept) if found and self._kept is not None else None)
        if self.cursor is None:
            self._kept = None

    def watch_cursor(self) -> None:
        super().watch_cursor()
        self._kept = None if self.cursor is None else self._found[self.cursor]
        self._look_whether_following()

    def _look_whether_following(self) -> None:
        """The newest is followed while the list is at its end, and no event has the cursor."""
        self.following = self.cursor is None and self.scroll_y >= self.max_scroll_y
        self.post_message(self.Arranged())

    def _has(self, event: Event, words: list[str]) -> bool:
        return holds(" ".join(map(self._write, event, self.infos)), words)

    @property
    def total(self) -> int:
        """Number of events taken, including those no longer kept."""
        return self._taken

    @property
    def count(self) -> int:
        return len(self._found)

    @property
    def empty(self) -> str:
        return "no matches" if self.wanted else "no events yet"

    def cell(self, row: int, column: GridColumn) -> str:
        return self._text(row, self._by_id[column.name])

    def whole(self, row: int) -> list[tuple[str, str]]:
        """With the parents and command lines of its processes."""
        return super().whole(row) + [(each.title, self._text(row, each)) for each in self._details]

    @property
    def default_row(self) -> int:
        return self.visible_rows[-1]

    def _text(self, row: int, shown: ShownColumn) -> str:
        value = self._events[self._found[row] - self._first][self.infos.index(shown.info)]
        if shown.part:
            return names.OF_PART[shown.part](int(value), self.processes)
        return self._write(value, shown.info)

    def _write(self, value: int | float | str, info: ColumnInfo) -> str:
        if isinstance(value, str):
            return cell(value)
        if info.is_process:
            return f"{names.pid(int(value), self.processes)} {names.name(int(value), self.processes)}"
        if info.decode == "time":
            return formatting.clock(value)
        return formatting.value(value, info.unit) if info.unit else str(value)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._look_whether_following()

    def action_move(self, step: int) -> None:
        if self.cursor is None and self.count:
            self.go(self.default_row)
        else:
            super().action_move(step)

    def action_follow(self) -> None:
        self.cursor = None
        self.following = True
        self.scroll_end(animate=False)
        self.post_message(self.Arranged())


def _column(shown: ShownColumn, *, last: bool) -> GridColumn:
    info = shown.info
    if shown.part == "pid":
        return GridColumn(shown.id, "pid", numeric=True, least=7, priority=info.priority)
    if shown.part:
        return GridColumn(shown.id, info.title, least=14, most=24, priority=info.priority)
    if shown.is_time:
        return GridColumn(shown.id, info.title, quiet=True, least=12, priority=info.priority)
    if info.decode in ("string", "comm", "hex"):
        return GridColumn(
            shown.id,
            info.title,
            least=16 if last else 12,
            most=160,
            stretch=info.decode == "string",
            priority=info.priority,
        )
    if info.decode:
        return GridColumn(shown.id, info.title, least=8, most=24, priority=info.priority)
    return GridColumn(shown.id, info.title, numeric=True, least=9, priority=info.priority)


def _events(chunk: Chunk, infos: list[ColumnInfo]) -> list[Event]:
    reads: list[Callable[[], list[Any]]] = []
    for info in infos:
        values = chunk[info.field]
        if info.is_process and isinstance(values, np.ndarray):
            values = np.nan_to_num(values).astype(np.int64)
        reads.append(values.texts if isinstance(values, Labels) else values.tolist)
    return list(zip(*(read() for read in reads), strict=True))
