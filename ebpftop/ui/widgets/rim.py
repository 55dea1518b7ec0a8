"""A border with titles; if a title changes, only its edge is repainted."""

from __future__ import annotations

from typing import Self

from textual.content import Content
from textual.geometry import Region

from ebpftop.ui.widgets.cached import Cached

NOTHING = Content("")


class Rim(Cached):
    """`entitle` sets both titles. Textual repaints a widget and everything inside it whenever a title is set."""

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
        """The line y of the whole widget, as a region relative to its content."""
        return Region(0, y, self.outer_size.width, 1).translate(-self.content_offset)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        return super().refresh(*(regions or self._edges), repaint=repaint, layout=layout, recompose=recompose)


def _same(one: Content, other: Content) -> bool:
    """Compare styles, too: `Content` compares only its text."""
    return one.plain == other.plain and one.spans == other.spans
