"""A table of any number of rows: sorted by any column, filtered as you type, its cursor stays on a key."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.binding import Binding, BindingType
from textual.message import Message

from ebpftop.frames.columns import Array
from ebpftop.ui.widgets.grid import BAR, Column, Grid
from ebpftop.ui.widgets.rows import Field, Key, Rows

DOWN, UP = "▼", "▲"


class Table(Grid):
    """`show` sets the rows; sorting, the filter and the cursor are kept here and survive new rows.

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
        Binding(
            "less_than_sign",
            "sort_next(-1)",
            "sort by the previous column",
            show=False,
            tooltip="Sort by another column",
        ),
        Binding("s,greater_than_sign", "sort_next(1)", "sort", key_display="s"),
        Binding("S", "turn", "reverse the sort order", show=False),
    ]

    class Picked(Message):
        """Enter or a double click on a row; `key` is None when the selection was cleared."""

        def __init__(self, table: Table, key: Key | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Arranged(Message):
        """The order, the filter or the cursor changed: titles that show them are out of date."""

    def __init__(self, sort: str | None = None, *, picks: bool = False) -> None:
        super().__init__()
        self.rows = Rows()
        self.picks = picks
        self.sort = sort
        self.descending = True
        self.wanted = ""
        self.kept: Key | None = None  # the key under the cursor
        self._order: Array = np.zeros(0, np.intp)
        self._shares: Array | None = None

    # ------------------------------------------------------------ rows

    def show(self, rows: Rows) -> None:
        """Show new rows; the cursor stays on its key, and visible if it was."""
        was_seen = self.cursor is not None and self.cursor in self.visible_rows
        self.rows = rows
        self.columns = [field.column for field in rows.fields]
        if rows.fields and self._field(self.sort) is None:
            self.sort = self._first_number()
        self._arrange()
        if was_seen:
            self.reveal()

    def search(self, query: str) -> None:
        self.wanted = query
        self._arrange()
        self.scroll_to(y=0, animate=False)

    def sort_by(self, name: str) -> None:
        """Sort by a column, largest number or first letter on top; the same column again reverses the order."""
        field = self._field(name)
        if field is None:
            return
        self.descending = not self.descending if name == self.sort else field.column.numeric
        self.sort = name
        self._arrange()

    def _first_number(self) -> str | None:
        numeric = [f.column.name for f in self.rows.fields if f.column.numeric and not f.column.name.endswith(".pid")]
        return numeric[0] if numeric else None

    def _field(self, name: str | None) -> Field | None:
        return next((field for field in self.rows.fields if field.column.name == name), None)

    def _arrange(self) -> None:
        rows = np.arange(self.rows.count) if not self.wanted else np.flatnonzero(self._matching())
        field = self._field(self.sort)
        self._shares = None
        if field is not None and len(rows):
            values = field.order()
            rows = rows[_sorted(values[rows], self.descending)]
            if field.column.numeric:
                self._shares = _shares(values)
        self._order = rows
        self._follow()
        self.changed()
        self.post_message(self.Arranged())

    def _matching(self) -> Array:
        words = self.wanted.casefold().split()
        found = np.ones(self.rows.count, bool)
        columns = [field.texts() for field in self.rows.fields if field.texts]
        for word in words:
            hits = np.zeros(self.rows.count, bool)
            for texts in columns:
                hits |= np.fromiter((word in each.casefold() for each in texts), bool, len(texts))
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

    @property
    def about(self) -> str:
        """Details of the row under the cursor."""
        return "" if self.cursor is None else self.rows.about(int(self._order[self.cursor]))

    def on_screen(self, name: str) -> list[int]:
        """A key field's values in the rows on the screen."""
        values = self.rows.keys.get(name)
        return values[self._order[self.visible_rows]].tolist() if isinstance(values, np.ndarray) else []

    # ------------------------------------------------------------ the grid's interface

    @property
    def count(self) -> int:
        return len(self._order)

    @property
    def empty(self) -> str:
        return "no matches" if self.wanted else "no data yet"

    def cell(self, row: int, column: Column) -> str:
        field = self._field(column.name)
        return field.cell(int(self._order[row])) if field else ""

    def row_look(self, row: int) -> str:
        return "grid--quiet" if self.rows.gone(int(self._order[row])) else ""

    def share(self, row: int) -> float:
        return float(self._shares[self._order[row]]) if self._shares is not None else 0.0

    def sorted_by(self, column: Column) -> str:
        return "" if column.name != self.sort else DOWN if self.descending else UP

    def title_clicked(self, column: Column) -> None:
        if column.name != BAR:
            self.sort_by(column.name)

    def row_clicked(self, row: int, twice: bool) -> None:
        if twice and self.picks:
            self.action_pick()

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.picks if action == "pick" else True

    def action_pick(self) -> None:
        if self.cursor is None and self.count:
            self.go(self.visible_rows.start)
        self.post_message(self.Picked(self, self.kept))

    def action_sort_next(self, step: int) -> None:
        names = [column.name for column in self.shown_columns if column.name != BAR]
        if names:
            at = names.index(self.sort) + step if self.sort in names else 0
            self.sort_by(names[at % len(names)])

    def action_turn(self) -> None:
        if self.sort:
            self.sort_by(self.sort)

    def let_go(self) -> None:
        """Clear the cursor."""
        self.cursor = None


def _sorted(values: Array, descending: bool) -> Array:
    """Sorted indices, stable; unknown values (NaN) last."""
    if not descending:
        return np.argsort(values, kind="stable")
    if values.dtype.kind == "f":
        return np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    return np.argsort(np.iinfo(values.dtype).max - values if values.dtype.kind == "u" else -values, kind="stable")


def _shares(values: Array) -> Array:
    """Each value as a fraction of the largest; 0 for unknown ones."""
    numbers = np.nan_to_num(values.astype(np.float64))
    top = float(numbers.max(initial=0.0))
    return numbers / top if top > 0 else np.zeros(len(numbers))
