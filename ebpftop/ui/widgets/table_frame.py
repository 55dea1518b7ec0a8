"""A table in its frame."""

from __future__ import annotations

from ebpftop.stats import formatting
from ebpftop.ui.widgets.panel import GridFrame, words
from ebpftop.ui.widgets.table_grid import TableGrid


class TableFrame(GridFrame):
    """A table in its frame; the title shows the filter, the lower edge the row under the cursor."""

    grid: TableGrid

    def __init__(self, title: str, table: TableGrid) -> None:
        super().__init__(table)
        self.title = title
        self.window_words = ""

    def search(self, query: str) -> None:
        self.grid.search(query)

    def on_table_grid_arranged(self, event: TableGrid.Arranged) -> None:
        event.stop()
        self.retitle()

    def retitle(self) -> None:
        table = self.grid
        rows = formatting.plural(table.rows.count, "row")
        if table.wanted:
            rows = f"{formatting.count(table.count)} of {rows} match “{table.wanted}”"
        self.entitle(words(self.title, self.window_words, rows), words(table.about))

    def let_go(self) -> bool:
        """Clear the filter, else the cursor; False if there was nothing to clear."""
        if self.grid.wanted:
            self.drop_filter()
            return True
        if self.grid.cursor is not None:
            self.grid.let_go()
            return True
        return False
