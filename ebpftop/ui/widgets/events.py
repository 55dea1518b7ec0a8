"""Events, newest last: the list follows the newest until the user scrolls away."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar, NamedTuple

import numpy as np
from textual.binding import Binding, BindingType
from textual.message import Message

from ebpftop.base.query import words_of
from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.events import Chunk, EventLog, part
from ebpftop.model.narrowing import row_of, selected_rows
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.model.shown import ShownColumn, shown_columns
from ebpftop.stats import formatting
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.grid import Grid

KEPT = 10_000
Value = int | float | str
_CLOCK = frozenset("0123456789:.")  # what a time is written with


class _Batch(NamedTuple):
    """Events that arrived together, from number `first` on."""

    first: int
    columns: Chunk


class EventList(Grid):
    """The last events of one ring buffer. `take` appends the new ones.

    They stay columns: only visible rows become text. A filter looks at each event once, and at each distinct text of a
    batch once.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end,G", "follow", "follow the newest", key_display="End", show=False),
    ]

    class Arranged(Message):
        """Following or the filter changed: the title must be updated."""

    def __init__(self, view: ViewInfo) -> None:
        super().__init__()
        self.view = view
        self.selection: Selection = EVERYTHING
        self.infos = [info for info in view.columns if not info.hidden]
        shown = [each for each in shown_columns(self.infos) if not each.is_detail]
        self.columns = [_column(each, last=each is shown[-1]) for each in shown]
        self._by_id = {each.id: each for each in shown_columns(self.infos)}
        self._unseen = [each for each in shown_columns(self.infos) if each.is_place]  # where no process has run so far
        self._details = [each for each in shown_columns(self.infos) if each.is_detail]
        self._kept: int | None = None  # the event under the cursor, by its number since the first one
        self.following = True
        self.wanted = ""
        self.processes: Processes = {}
        self._batches: list[_Batch] = []
        self._found: range | Array = range(0)  # those the filter lets through, by number since the first one
        self._taken = 0
        self._from = 0  # the number of the first one to show
        self._log: EventLog | None = None

    def take(
        self,
        log: EventLog,
        processes: Processes,
        shown: range | None = None,
        selection: Selection = EVERYTHING,
    ) -> None:
        """Append the log's new events. shown: the numbers of those to show, instead of all; of these only the selected
        ones.
        """
        self.processes = processes
        anew = selection != self.selection
        self.selection = selection
        self.narrowed = len(selection.missing(self.view)) < len(selection.choices)
        shown = range(log.total) if shown is None else shown
        if shown.stop < self._taken or shown.start < self._from or log is not self._log:
            self._batches.clear()
            self._found, self._taken = range(0), 0
        self._from, self._log = shown.start, log
        before = self._taken
        number = max(before, shown.start, log.total - log.kept, shown.stop - KEPT)
        for chunk in log.since(number):
            rows = min(len(next(iter(chunk.values()))), shown.stop - number)
            if rows <= 0:
                break
            kept = {info.field: chunk[info.field] for info in self.infos}
            self._batches.append(
                _Batch(number, kept if rows == len(next(iter(chunk.values()))) else part(kept, 0, rows))
            )
            number += rows
            self._show_places(self._batches[-1].columns)
        self._taken = shown.stop
        while len(self._batches) > 1 and self._batches[1].first <= self._first:
            del self._batches[0]
        self._search(0 if anew else before)

    def _show_places(self, columns: Chunk) -> None:
        """Show a column for a kind of place once a process that ran in one appears."""
        for field in {each.info.field for each in self._unseen}:
            values = columns[field]
            identities = np.unique(values.codes if isinstance(values, Labels) else values).tolist()
            for each in [each for each in self._unseen if each.info.field == field]:
                if each.part and any(names.OF_PART[each.part](number, self.processes) for number in identities):
                    self._unseen.remove(each)
                    self.columns.append(_column(each, last=False))

    def search(self, query: str) -> None:
        self.wanted = query
        self._search(0)

    def _search(self, since: int) -> None:
        """Filter the events from number `since` on; earlier results stay."""
        words, first = words_of(self.wanted), self._first
        if words or self.narrowed:
            before = np.asarray(self._found, np.int64)
            found = [before[(before >= first) & (before < since)]]
            for batch in self._batches:
                start = max(since, first) - batch.first
                rows = np.arange(max(0, start), len(next(iter(batch.columns.values()))))
                rows = self._selected(batch.columns, rows)
                if len(rows):
                    found.append(batch.first + rows[self._has(batch.columns, rows, words)])
            self._found = np.concatenate(found)
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
        if not self._batches:
            return self._taken
        return max(self._taken - KEPT, self._batches[0].first, self._from)

    def _follow_cursor(self) -> None:
        """Keep the cursor on its event; clear it if that is filtered out or no longer kept."""
        row = None if self._kept is None else int(np.searchsorted(np.asarray(self._found), self._kept))
        found = row is not None and row < len(self._found) and self._found[row] == self._kept
        self.set_reactive(Grid.cursor, row if found else None)
        if self.cursor is None:
            self._kept = None

    def watch_cursor(self) -> None:
        super().watch_cursor()
        self._kept = None if self.cursor is None else int(self._found[self.cursor])
        self._look_whether_following()

    def _look_whether_following(self) -> None:
        """Follow the newest event while the list is at its end and no event has the cursor."""
        self.following = self.cursor is None and self.scroll_y >= self.max_scroll_y
        self.post_message(self.Arranged())

    def _has(self, columns: Chunk, rows: Array, words: list[str]) -> Array:
        """A mask of the rows that contain every word, in any column."""
        left = np.arange(len(rows))
        for word in words:
            found = np.zeros(len(left), bool)
            for info in sorted(self.infos, key=lambda info: isinstance(columns[info.field], Labels), reverse=True):
                if info.decode == "time" and not _CLOCK.issuperset(word):
                    continue
                unknown = np.flatnonzero(~found)
                found[unknown] = self._holds(take(columns[info.field], rows[left[unknown]]), info, word)
            left = left[found]
        mask = np.zeros(len(rows), bool)
        mask[left] = True
        return mask

    def _selected(self, columns: Chunk, rows: Array) -> Array:
        """The selected ones among the rows."""
        if not self.narrowed or not len(rows):
            return rows
        mask = selected_rows(self.selection, self.view, lambda name: take(columns[name], rows), len(rows))
        return rows if mask is None else rows[mask]

    def _holds(self, values: Values, info: ColumnInfo, word: str) -> Array:
        """A mask of the values whose text contains the word; each distinct value is formatted once."""
        distinct, codes = np.unique(values.codes if isinstance(values, Labels) else values, return_inverse=True)
        of = [values.labels[code] for code in distinct] if isinstance(values, Labels) else distinct.tolist()
        return np.array([word in self._write(value, info).casefold() for value in of], bool)[codes]

    @property
    def total(self) -> int:
        """Number of events taken, including those no longer kept."""
        return self._taken - self._from

    @property
    def dropped(self) -> int:
        """How many of them are no longer kept."""
        return max(0, self._first - self._from)

    @property
    def count(self) -> int:
        return len(self._found)

    @property
    def empty(self) -> str:
        return "no matches" if self.wanted else super().empty if self.narrowed else "no events yet"

    def cell(self, row: int, column: GridColumn) -> str:
        return self._text(row, self._by_id[column.name])

    def whole(self, row: int) -> list[tuple[str, str]]:
        """The whole row, with parents, command lines and places of its processes."""
        there = {column.name for column in self.columns}
        details = [(each, self._text(row, each)) for each in self._details if each.id not in there]
        return super().whole(row) + [(each.title, text) for each, text in details if text or not each.is_place]

    @property
    def default_row(self) -> int:
        return self.visible_rows.stop - 1

    def fields(self, row: int) -> dict[str, int | str]:
        """The key fields of an event."""
        columns, at = self._place(row)
        return row_of(self.view, columns, at)

    def value(self, row: int, field: str) -> Value:
        """A field of the event in a row."""
        columns, at = self._place(row)
        values = columns[field]
        return values.at(at) if isinstance(values, Labels) else values[at].item()

    def _place(self, row: int) -> tuple[Chunk, int]:
        """The batch that holds a row, and the row there."""
        number = int(self._found[row])
        batch = self._batches[bisect_right(self._batches, number, key=lambda batch: batch.first) - 1]
        return batch.columns, number - batch.first

    def _text(self, row: int, shown: ShownColumn) -> str:
        value = self.value(row, shown.info.field)
        if shown.part:
            return names.OF_PART[shown.part](int(value), self.processes)
        return self._write(value, shown.info)

    def _write(self, value: Value, info: ColumnInfo) -> str:
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
    if shown.part in ("pid", "nspid"):
        return GridColumn(shown.id, shown.part, numeric=True, least=7, priority=info.priority)
    if shown.is_place:
        return GridColumn(shown.id, shown.title, least=12, most=32, priority=info.priority)
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
