"""A border with titles, of which only the edge is painted whose title changed."""

from __future__ import annotations

from typing import Self

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

NOTHING = Content("")


class Rim(Widget):
    """`entitle` sets both titles. Textual paints a widget and all inside it anew whenever a title is set."""

    _titles = (NOTHING, NOTHING)
    _edges: tuple[Region, ...] = ()  # what a refresh is limited to

    def entitle(self, title: Content, below: Content = NOTHING) -> None:
        """The titles of the upper and the lower edge."""
        old, self._titles = self._titles, (title, below)
        if not _same(title, old[0]):
            self._edges = (self._edge(0),)
            self.border_title = title
        if not _same(below, old[1]):
            self._edges = (self._edge(self.outer_size.height - 1),)
            self.border_subtitle = below
        self._edges = ()

    def _edge(self, y: int) -> Region:
        """The line y of the whole widget, as a region counted from its content."""
        return Region(0, y, self.outer_size.width, 1).translate(-self.content_offset)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        return super().refresh(*(regions or self._edges), repaint=repaint, layout=layout, recompose=recompose)


def _same(one: Content, other: Content) -> bool:
    """`Content` compares its text only."""
    return one.plain == other.plain and one.spans == other.spans
