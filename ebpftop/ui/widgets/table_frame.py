"""A table in its frame."""

from __future__ import annotations

from ebpftop.stats import formatting
from ebpftop.ui.widgets.panel import GridFrame, without, words
from ebpftop.ui.widgets.table_grid import TableGrid


class TableFrame(GridFrame):
    """A table in its frame; the title shows the filter, the lower edge the row under the cursor."""

    grid: TableGrid

    def __init__(self, title: str, table: TableGrid) -> None:
        super().__init__(table)
        self.title = title
        self.span_words = ""

    def search(self, query: str) -> None:
        self.grid.search(query)

    def on_table_grid_arranged(self, event: TableGrid.Arranged) -> None:
        event.stop()
        self.retitle()

    def retitle(self) -> None:
        table = self.grid
        rows = formatting.plural(len(table.listed), "row")
        if table.wanted:
            rows = f"{formatting.count(table.count)} of {rows} match “{table.wanted}”"
        facts = (rows, self.left_out) if table.wanted else (self.left_out, rows)  # the last is cut where room is short
        self.entitle(words(self.title, self.span_words, *facts), words(table.about))

    @property
    def left_out(self) -> str:
        return without(self.grid.left_out) if self.grid.left_out else ""

    def let_go(self) -> bool:
        """Clear the filter, else the cursor; False if there was nothing to clear."""
        if self.grid.wanted:
            self.drop_filter()
            return True
        if self.grid.cursor is not None:
            self.grid.let_go()
            return True
        return False
