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
from ebpftop.stats import formatting
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.clock import clock
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.grid import Column, Grid

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
        self.columns = _columns(self.infos)
        self.following = True
        self.wanted = ""
        self.processes: Processes = {}
        self._events: list[Event] = []
        self._found: list[int] | None = None  # of those, the ones the filter lets through
        self._taken = 0

    def take(self, log: EventLog, processes: Processes) -> None:
        """Append the log's new events."""
        self.processes = processes
        if log.total < self._taken:
            self._events.clear()
            self._taken = 0
        for chunk in log.since(self._taken):
            self._events += _events(chunk, self.infos)
        self._taken = log.total
        surplus = len(self._events) - KEPT
        if surplus > 0:
            del self._events[:surplus]
        self._search()

    def search(self, query: str) -> None:
        self.wanted = query
        self._search()

    def _search(self) -> None:
        words = self.wanted.casefold().split()
        self._found = None
        if words:
            self._found = [at for at, event in enumerate(self._events) if self._has(event, words)]
        self.changed()
        if self.following:
            self.scroll_end(animate=False, immediate=True)
        self.post_message(self.Arranged())

    def _has(self, event: Event, words: list[str]) -> bool:
        whole = " ".join(self._write(value, info) for value, info in zip(event, self.infos, strict=True)).casefold()
        return all(word in whole for word in words)

    @property
    def total(self) -> int:
        """Number of events taken, including those no longer kept."""
        return self._taken

    @property
    def count(self) -> int:
        return len(self._events) if self._found is None else len(self._found)

    @property
    def empty(self) -> str:
        return "no matches" if self.wanted else "no events yet"

    def cell(self, row: int, column: Column) -> str:
        event = self._events[row if self._found is None else self._found[row]]
        field, _, part = column.name.partition(".")
        at = next(at for at, info in enumerate(self.infos) if info.field == field)
        value = event[at]
        if part:
            tell = names.pid if part == "pid" else names.name
            return tell(int(value), self.processes)
        return self._write(value, self.infos[at])

    def _write(self, value: int | float | str, info: ColumnInfo) -> str:
        if isinstance(value, str):
            return cell(value)
        if info.decode == "process":
            return f"{names.pid(int(value), self.processes)} {names.name(int(value), self.processes)}"
        if info.decode == "time":
            return clock(value)
        return formatting.value(value, info.unit) if info.unit else str(value)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.following = new_value >= self.max_scroll_y
        self.post_message(self.Arranged())

    def action_follow(self) -> None:
        self.following = True
        self.cursor = None
        self.scroll_end(animate=False)
        self.post_message(self.Arranged())


def _columns(infos: list[ColumnInfo]) -> list[Column]:
    columns: list[Column] = []
    for info in infos:
        title = info.title or info.field
        if info.decode == "process":
            columns.append(Column(f"{info.field}.pid", "pid", numeric=True, least=7))
            columns.append(Column(f"{info.field}.name", title, least=14, most=24))
        elif info.decode == "time":
            columns.append(Column(info.field, title, quiet=True, least=12))
        elif info.decode in ("string", "comm", "hex"):
            last = info is infos[-1]
            columns.append(
                Column(info.field, title, least=16 if last else 12, most=160, stretch=info.decode == "string")
            )
        elif info.decode:
            columns.append(Column(info.field, title, least=8, most=24))
        else:
            columns.append(Column(info.field, title, numeric=True, least=9))
    return columns


def _events(chunk: Chunk, infos: list[ColumnInfo]) -> list[Event]:
    reads: list[Callable[[], list[Any]]] = []
    for info in infos:
        values = chunk[info.field]
        if info.decode == "process" and isinstance(values, np.ndarray):
            values = np.nan_to_num(values).astype(np.int64)
        reads.append(values.texts if isinstance(values, Labels) else values.tolist)
    return list(zip(*(read() for read in reads), strict=True))
