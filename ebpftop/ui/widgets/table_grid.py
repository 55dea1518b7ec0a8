"""A table of any number of rows: sorted by any column, filtered as you type, with a cursor that stays on its key."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.binding import Binding, BindingType
from textual.message import Message

from ebpftop.base.query import holds, words_of
from ebpftop.frames.columns import Array
from ebpftop.stats import formatting
from ebpftop.ui.widgets.columns import BAR, GridColumn
from ebpftop.ui.widgets.grid import WHOLE, Grid
from ebpftop.ui.widgets.rows import RowKey, Rows, TableColumn

DOWN, UP = "▼", "▲"
OTHER = {"rate": "count", "count": "rate"}  # columns of histograms that stand for each other, besides `x` and `x/s`


class TableGrid(Grid):
    """`show` sets the rows; sorting, filter and cursor belong to the table and outlive them.

    picks: whether Enter selects a row.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "pick",
            "only this row",
            key_display="Enter",
            tooltip="Show this row's histogram or frames",
        ),
        *WHOLE,  # again: a subclass's bindings of a key replace those before
        Binding(
            "less_than_sign",
            "sort_next(-1)",
            "sort by the previous column",
            show=False,
            tooltip="Sort by another column",
            id="sort-back",
        ),
        Binding("s,greater_than_sign", "sort_next(1)", "sort", key_display="s", id="sort"),
        Binding("S", "turn", "reverse the sort order", show=False, id="reverse"),
    ]

    class Picked(Message):
        """Enter or a double click on a row; `key` is None if the selection was cleared."""

        def __init__(self, table: TableGrid, key: RowKey | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Arranged(Message):
        """The order, the filter or the cursor changed: titles must be updated."""

    def __init__(self, sort: str | None = None, *, picks: bool = False) -> None:
        super().__init__()
        self.rows = Rows()
        self.picks = picks
        self.sort = sort
        self.descending = True
        self.wanted = ""
        self.leaves_out = False  # whether ebpftop's own rows aren't listed
        self.listed: Array = np.zeros(0, np.intp)  # the rows that the filter chooses from
        self.kept: RowKey | None = None  # the key under the cursor
        self._ordering: str | None = None  # the column that ordered them
        self._order: Array = np.zeros(0, np.intp)
        self._shares: Array | None = None

    # ------------------------------------------------------------ rows

    def show(self, rows: Rows) -> None:
        """Show new rows; the cursor stays on its key, and visible if it was."""
        was_seen = self.cursor is not None and self.cursor in self.visible_rows
        self.rows = rows
        self.columns = [column.look for column in rows.columns]
        if self.sort is None:
            self.sort = self._first_number()
        self._arrange()
        if was_seen:
            self.reveal()

    def search(self, query: str) -> None:
        self.wanted = query
        self._arrange()
        self.scroll_to(y=0, animate=False)

    def sort_by(self, name: str) -> None:
        """Order by a column, greatest number or first letter on top. The same column again reverses the order."""
        column = self._column(name)
        if column is None:
            return
        self.descending = not self.descending if name == self.ordering else column.look.numeric
        self.sort = name
        self._arrange()

    @property
    def ordering(self) -> str | None:
        """The column that orders the rows: `sort`, or its replacement in this window, or the first number."""
        sort = self.sort or ""
        other = sort.removesuffix("/s") if sort.endswith("/s") else f"{sort}/s"
        names = [column.look.name for column in self.rows.columns]
        return next((name for name in (sort, OTHER.get(sort, other)) if name in names), self._first_number())

    def _first_number(self) -> str | None:
        numeric = [c.look.name for c in self.rows.columns if c.look.numeric and not c.look.name.endswith(".pid")]
        return numeric[0] if numeric else None

    def _column(self, name: str | None) -> TableColumn | None:
        return next((column for column in self.rows.columns if column.look.name == name), None)

    def _arrange(self) -> None:
        self.listed = rows = np.flatnonzero(~self.rows.own) if self.leaves_out else np.arange(self.rows.count)
        if self.wanted:
            rows = rows[self._matching()[rows]]
        column = self._column(self.ordering)
        self._shares = None
        if column is not None and len(rows) and column.look.numeric:
            self._shares = _shares(column.order(), self.listed)
        self._order = self._ordered(rows, column) if len(rows) else rows
        self._ordering = self.ordering
        self._follow()
        self.changed()
        self.post_message(self.Arranged())

    def _ordered(self, rows: Array, column: TableColumn | None) -> Array:
        """These rows by a column."""
        return rows if column is None else rows[sorted_rows(column.order()[rows], self.descending)]

    def _matching(self) -> Array:
        words = words_of(self.wanted)
        found = np.ones(self.rows.count, bool)
        columns = [column.texts() for column in self.rows.columns if column.texts]
        for word in words:
            hits = np.zeros(self.rows.count, bool)
            for texts in columns:
                hits |= np.fromiter((holds(each, [word]) for each in texts), bool, len(texts))
            found &= hits
        return found

    def _follow(self) -> None:
        """Move the cursor to its key's new row; if the key is gone or filtered out, clear it."""
        if self.kept is None:
            return
        row = self.rows.find(self.kept)
        at = [] if row is None else np.flatnonzero(self._order == row).tolist()
        self.set_reactive(Grid.cursor, at[0] if at else None)

    def watch_cursor(self) -> None:
        super().watch_cursor()
        self.kept = None if self.cursor is None else self.rows.key(int(self._order[self.cursor]))
        self.post_message(self.Arranged())

    def pointed(self) -> dict[str, int | str]:
        """The key fields of the row that a key acts on; none without rows."""
        self.point()
        return {} if self.kept is None else dict(zip(self.rows.keys, self.kept, strict=True))

    @property
    def left_out(self) -> str:
        """The sum of ebpftop's own rows in the column that orders the rows, or else their number."""
        rows = np.flatnonzero(self.rows.own) if self.leaves_out else self.listed[:0]
        column = self._column(self._ordering)
        added = column.added(rows) if column and column.added and len(rows) else ""
        return added or (formatting.plural(len(rows), "row") if len(rows) else "")

    @property
    def about(self) -> str:
        """Details of the row under the cursor."""
        return "" if self.cursor is None else self.rows.about(int(self._order[self.cursor]))

    def on_screen(self, field: str | None) -> list[int]:
        """Values of a key field in the visible rows; empty without such a field."""
        values = self.rows.keys.get(field or "")
        return values[self._order[self.visible_rows]].tolist() if isinstance(values, np.ndarray) else []

    # ------------------------------------------------------------ what a grid needs

    @property
    def count(self) -> int:
        return len(self._order)

    @property
    def empty(self) -> str:
        return "no matches" if self.wanted else super().empty

    def cell(self, row: int, column: GridColumn) -> str:
        found = self._column(column.name)
        return found.cell(int(self._order[row])) if found else ""

    def whole(self, row: int) -> list[tuple[str, str]]:
        """The whole row, with everything that is known about its subject."""
        at = int(self._order[row])
        about, facts = self.rows.about(at), self.rows.facts(at)
        return [*super().whole(row), *(facts or ([("about", about)] if about else []))]

    def row_look(self, row: int) -> str:
        return "grid--quiet" if self.rows.gone(int(self._order[row])) else ""

    def share(self, row: int) -> float:
        return float(self._shares[self._order[row]]) if self._shares is not None else 0.0

    def sorted_by(self, column: GridColumn) -> str:
        return "" if column.name != self._ordering else DOWN if self.descending else UP

    def title_clicked(self, column: GridColumn) -> None:
        if column.name != BAR:
            self.sort_by(column.name)

    def row_clicked(self, row: int, twice: bool) -> None:
        if twice and self.picks:
            self.action_pick()

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "whole":
            return not (self.picks and parameters[0])
        return self.picks if action == "pick" else super().check_action(action, parameters)

    def action_pick(self) -> None:
        self.point()
        self.post_message(self.Picked(self, self.kept))

    def action_sort_next(self, step: int) -> None:
        names = [column.name for column in self.columns if column.name != BAR]
        if names:
            at = names.index(self.ordering) + step if self.ordering in names else 0
            self.sort_by(names[at % len(names)])

    def action_turn(self) -> None:
        if self.ordering:
            self.sort_by(self.ordering)

    def let_go(self) -> None:
        """Clear the cursor."""
        self.cursor = None


def sorted_rows(values: Array, descending: bool) -> Array:
    """Sorted indices, stable; unknown values (NaN) last."""
    if not descending:
        return np.argsort(values, kind="stable")
    if values.dtype.kind == "f":
        return np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    return np.argsort(np.iinfo(values.dtype).max - values if values.dtype.kind == "u" else -values, kind="stable")


def _shares(values: Array, listed: Array) -> Array:
    """Each value as a fraction of the largest listed one; 0 for unknown values."""
    numbers = np.nan_to_num(values.astype(np.float64))
    top = float(numbers[listed].max(initial=0.0))
    return numbers / top if top > 0 else np.zeros(len(numbers))
