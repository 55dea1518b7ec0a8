"""Rows and columns drawn line by line: only visible rows are formatted, however many there are."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import merged, painted
from ebpftop.ui.widgets.columns import BAR, GAP, GridColumn, lay_out
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.painter import Painter

ORDERS = 10  # priority of the column that orders the rows: above any in a manifest
_EIGHTHS = " ▏▎▍▌▋▊▉█"
WHOLE = [
    Binding("enter", "whole(True)", "whole row", key_display="Enter", tooltip="Show the whole row"),
    Binding("w", "whole(False)", "whole row", show=False, id="whole"),
]
ASIDE = [
    Binding("left", "aside(-1)", "columns on the left", show=False, tooltip="Show the columns that don't fit"),
    Binding("right", "aside(1)", "columns on the right", show=False),
]


def bar(share: float, width: int) -> str:
    """`share` (0 to 1) of `width` cells in eighths; anything above zero is visible."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


class Grid(Painter, can_focus=True):
    """A header line and rows below it. Rows are numbered as shown, from 0."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--sorted",
        "grid--quiet",
        "grid--bar",
        "grid--warning",
        "grid--error",
        "grid--cursor",
        "grid--cursor-quiet",
    }
    DEFAULT_CSS = """
    Grid {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size: 1 1;
        & > .grid--header { color: $quiet; }
        & > .grid--sorted { color: $foreground; text-style: bold; }
        & > .grid--quiet { color: $quiet; }
        & > .grid--bar { color: $primary; }
        & > .grid--warning { color: $warning; }
        & > .grid--error { color: $error; }
        & > .grid--cursor { background: $cursor; text-style: bold; }
        & > .grid--cursor-quiet { background: $cursor-quiet; }
        &:nocolor > .grid--cursor { text-style: reverse; }
        &:nocolor > .grid--cursor-quiet { text-style: underline; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        *ASIDE,
        Binding("shift+left", "aside(-1)", "columns on the left", show=False),
        Binding("shift+right", "aside(1)", "columns on the right", show=False),
        *WHOLE,
    ]

    class Whole(Message):
        """Show a whole row: titles and texts of all its fields."""

        def __init__(self, fields: list[tuple[str, str]]) -> None:
            super().__init__()
            self.fields = fields

    cursor: reactive[int | None] = reactive(None, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[GridColumn] = []
        self._shown: list[tuple[GridColumn, int]] = []
        self._seen: dict[str, int] = {}
        self._cells: dict[int, list[str]] = {}
        self._skipped = 0  # columns scrolled out of view on the left
        self.narrowed = False  # whether the rows are only those that are selected

    # ------------------------------------------------------------ what a kind of grid knows

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of rows."""

    @abstractmethod
    def cell(self, row: int, column: GridColumn) -> str:
        """Text of one cell."""

    @property
    def empty(self) -> str:
        """The text where there are no rows."""
        return "nothing matches the selection" if self.narrowed else "no data yet"

    def row_look(self, row: int) -> str:
        """Component class of a marked row, or ""."""
        return ""

    def share(self, row: int) -> float:
        """Length of the row's bar, 0 to 1."""
        return 0.0

    def sorted_by(self, column: GridColumn) -> str:
        """The sign after the title of the column that orders the rows."""
        return ""

    def whole(self, row: int) -> list[tuple[str, str]]:
        """Titles and texts of all fields of a row, uncut; for duplicate titles, the names of the fields."""
        columns = [column for column in self.columns if column.name != BAR]
        titles = [column.title for column in columns]
        return [
            (each.title if titles.count(each.title) == 1 else each.name.replace("_", " "), self.cell(row, each))
            for each in columns
        ]

    def title_clicked(self, column: GridColumn) -> None:
        """A column's title was clicked."""

    def row_clicked(self, row: int, twice: bool) -> None:
        """A row was clicked; the cursor is already there."""

    # ------------------------------------------------------------ layout

    def changed(self) -> None:
        """Redraw after rows or columns changed."""
        self._cells.clear()
        self.reach(self.size.width, self.count + 1)
        self._measure()
        self.update_lines()

    @property
    def page(self) -> int:
        return max(1, self.size.height - 1)

    @property
    def visible_rows(self) -> range:
        top = self.scroll_offset.y
        return range(min(top, self.count), min(top + self.page, self.count))

    @property
    def shown_columns(self) -> list[GridColumn]:
        return [column for column, _ in self._shown]

    def _measure(self) -> None:
        """Widen columns to fit the visible rows; they never get narrower, so that nothing jumps."""
        for row in self.visible_rows:
            for column, text in zip(self.columns, self._row(row), strict=True):
                if len(text) > self._seen.get(column.name, 0):
                    self._seen[column.name] = cell_len(text)
        columns = [replace(c, priority=ORDERS) if self.sorted_by(c) else c for c in self.columns]
        width = max(1, self.size.width - 2)
        seen = self._seen
        self._shown = lay_out(columns, seen, width)
        if not self._hidden:
            self._skipped = 0
        elif self._skipped:
            columns = [replace(c, priority=0) for c in columns if c.name != BAR][self._skipped :]
            seen = {column.name: max(1, seen.get(column.name, 0)) for column in columns}
            self._shown = lay_out(columns, seen, width)
        room = max(1, width - len(self._mark))
        if self._titles_end > room:
            self._shown = lay_out(columns, seen, room)

    @property
    def _hidden(self) -> int:
        """How many columns are hidden, not counting a bar without space."""
        return sum(c.name != BAR for c in self.columns) - sum(c.name != BAR for c in self.shown_columns)

    @property
    def _mark(self) -> str:
        """How many columns are hidden, and in which direction: `+3›`; "" if none. It takes space only in the header."""
        if not self._hidden:
            return ""
        return f"{'‹' if self._skipped else ''}+{self._hidden}{'›' if self._hidden > self._skipped else ''}"

    @property
    def _titles_end(self) -> int:
        """The end of the last title, in cells."""
        if not self._shown:
            return 0
        column, width = self._shown[-1]
        title = cell_len(column.title + self.sorted_by(column))
        return self._length - GAP - (0 if column.numeric else max(0, width - title))

    def _row(self, row: int) -> list[str]:
        if row not in self._cells:
            self._cells[row] = ["" if c.name == BAR else inert(self.cell(row, c)) for c in self.columns]
        return self._cells[row]

    def on_resize(self, _event: events.Resize) -> None:
        self.changed()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if round(old_value) != round(new_value):
            self._cells.clear()
            self._measure()
        super().watch_scroll_y(old_value, new_value)

    # ------------------------------------------------------------ drawing

    def line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            mark = self._mark
            strip = merged(self._header(), self._length, width - len(mark) - 1 if mark else width, self.look())
            return Strip([*strip, Segment(f"{mark} ", self.look("grid--sorted"))], width) if mark else strip
        row = y - 1 + self.scroll_offset.y
        if y == 1 and not self.count:
            return merged([(self.empty, self.look("grid--quiet"))], len(self.empty), width, self.look())
        if row >= self.count:
            return Strip.blank(width, self.look())
        strip = merged(self._line(row), self._length, width, self.look())
        if row == self.cursor:
            name = "grid--cursor" if self.has_focus else "grid--cursor-quiet"
            strip = painted(strip, self.mark(name))
        return strip

    @property
    def _length(self) -> int:
        """The cells of all columns and the gaps after them."""
        return sum(width + GAP for _, width in self._shown)

    def _header(self) -> list[tuple[str, Style]]:
        plain, chosen = self.look("grid--header"), self.look("grid--sorted")
        segments = []
        for column, width in self._shown:
            sign = self.sorted_by(column)
            title = inert(column.title) + sign
            segments.append((_fitted(title, width, column.numeric) + " " * GAP, chosen if sign else plain))
        return segments

    def _line(self, row: int) -> list[tuple[str, Style]]:
        mark = self.row_look(row)
        normal = self.look(mark) if mark else self.look()
        quiet = self.look("grid--quiet")
        cells = dict(zip([column.name for column in self.columns], self._row(row), strict=True))
        segments = []
        for column, width in self._shown:
            style: Style = quiet if column.quiet and not mark else normal
            if column.name == BAR:
                drawn = bar(self.share(row), width).ljust(width + GAP)
                segments.append((drawn, self.look("grid--bar")))
            else:
                text = cells[column.name]
                if column.shorten is not None:
                    text = column.shorten(text, width)
                segments.append((_fitted(text, width, column.numeric) + " " * GAP, style))
        return segments

    # ------------------------------------------------------------ keys and mouse

    def validate_cursor(self, cursor: int | None) -> int | None:
        return None if cursor is None or not self.count else max(0, min(cursor, self.count - 1))

    def watch_cursor(self) -> None:
        self.update_lines()

    def action_aside(self, step: int) -> None:
        """Scroll sideways by a column, until the last one is shown."""
        if step < 0 or self._hidden > self._skipped:
            self._skipped = max(0, self._skipped + step)
            self._measure()
            self.update_lines()

    def action_whole(self, _by_enter: bool) -> None:
        self.point()
        if self.cursor is not None:
            self.post_message(self.Whole(self.whole(self.cursor)))

    def point(self) -> None:
        """Put the cursor on the row that keys act on without a cursor."""
        if self.cursor is None and self.count:
            self.go(self.default_row)

    @property
    def default_row(self) -> int:
        """The row that keys act on without a cursor."""
        return self.visible_rows.start

    def action_move(self, step: int) -> None:
        self.go(self.visible_rows.start if self.cursor is None else self.cursor + step)

    def action_page(self, direction: int) -> None:
        self.go((self.visible_rows.start if self.cursor is None else self.cursor) + direction * self.page)

    def action_edge(self, direction: int) -> None:
        self.go(0 if direction < 0 else self.count - 1)

    def go(self, row: int) -> None:
        """Put the cursor on a row and scroll it into view."""
        self.cursor = row
        self.reveal()

    def reveal(self) -> None:
        """Scroll just far enough to show the cursor."""
        if self.cursor is None:
            return
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self.page:
            self.scroll_to(y=self.cursor - self.page + 1, animate=False)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            if column := self._column_at(event.x):
                self.title_clicked(column)
            return
        row = event.y - 1 + self.scroll_offset.y
        if row < self.count:
            self.go(row)
            self.row_clicked(row, event.chain == 2)

    def _column_at(self, x: int) -> GridColumn | None:
        edge = 0
        for column, width in self._shown:
            edge += width + GAP
            if x < edge:
                return column
        return None


def _fitted(text: str, width: int, right: bool) -> str:
    """The text in exactly `width` cells, ending in … if it was cut."""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, max(0, width - 1)) + ("…" if width else "")
    return " " * (width - length) + text if right else text + " " * (width - length)
