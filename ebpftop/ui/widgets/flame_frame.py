"""A flame graph in its frame: a title with what it shows, an input line, and details of the frame under the cursor."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ebpftop.stats import formatting
from ebpftop.ui.drawing.line import Piece, fit
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.panel import GridFrame, ViewPanel, words


class Details(Words):
    """One line about the frame under the cursor."""

    DEFAULT_CSS = """
    Details { height: 1; }
    """
    pieces: reactive[list[Piece]] = reactive(list, repaint=False)

    def watch_pieces(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        return fit(self.pieces, [], self.size.width) if self.pieces else Content("")


class FlameFrame(GridFrame):
    """The graph in its frame. Its input line filters by process, or searches functions."""

    grid: Flame

    def __init__(self, title: str) -> None:
        super().__init__(Flame())
        self.title = title
        self.span_words = ""
        self.wanted = ""  # the filter
        self.left_out = ""  # what the title says of ebpftop's own stacks, where they aren't shown
        self.details = Details()
        self._searching = False

    def compose(self) -> Iterable[Widget]:
        yield from super().compose()
        yield self.details

    def ask_filter(self) -> None:
        self._ask(False, self.wanted)

    def ask_search(self) -> None:
        self._ask(True, self.grid.wanted)

    def _ask(self, searching: bool, value: str) -> None:
        self._searching = searching
        self.filter.placeholder = "search functions" if searching else "filter by process"
        self.filter.value = value
        super().ask_filter()

    def search(self, query: str) -> None:
        if self._searching:
            self.grid.search(query)
        elif query != self.wanted:
            self.wanted = query
            self.post_message(ViewPanel.Stale())

    def let_go(self) -> bool:
        """Clear the search or filter, else one zoom, else the cursor."""
        if self.grid.searched or self.wanted:
            self._searching = bool(self.grid.searched)
            self.search("")
            self.drop_filter()
            return True
        if self.grid.zoom_out():
            return True
        if self.grid.cursor is not None:
            self.grid.let_go()
            return True
        return False

    def on_flame_arranged(self, event: Flame.Arranged) -> None:
        event.stop()
        self.retitle()

    def retitle(self) -> None:
        graph = self.grid
        parts = [self.title, self.span_words, formatting.value(graph.state.paths.total, graph.state.unit)]
        if self.wanted:
            parts.append(f"matching “{self.wanted}”")
        if graph.zoom:
            parts.append(f"zoomed into {graph.zoom[-1].label}")
        if graph.searched:
            parts.append(f"{formatting.percent(graph.share)} through “{graph.searched}”")
        parts.append(self.left_out)
        self.entitle(words(*parts))
        self.details.pieces = graph.about
