"""Widgets with cached composed lines: at each painting, Textual asks every visible widget for all its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from textual.containers import Container, Horizontal, Vertical
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class Line(Strip):
    """A composed line that is freed with its last reference. Textual keeps an undivided strip in that strip's own
    cache, so everything ever painted would wait for the garbage collector, which would then take longer than a
    painting.
    """

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        cuts = [*cuts]
        return [self] if cuts == [self.cell_length] else super().divide(cuts)


class Cached(Widget):
    """Keeps its composed lines, including rim and padding, until they are refreshed, or size or theme change.

    Put it last among the bases: only the first base hands down its CSS and its bindings.
    """

    _composed: list[Strip] | None = None
    _composed_for: tuple[Size, str] | None = None
    _stale: frozenset[int] = frozenset()  # of the composed lines

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if repaint and regions:
            top = self.content_offset.y
            self._stale |= {top + y for region in regions for y in region.line_range}
        elif repaint:
            self._composed = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        self._composed = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        width, height = size = self.outer_size
        if crop.right > width or crop.bottom > height:
            return super().render_lines(crop)
        made_for = (size, self.app.theme)
        if self._composed is None or self._composed_for != made_for:
            self._composed, self._composed_for = _lines(super().render_lines(size.region)), made_for
        elif stale := [y for y in self._stale if 0 <= y < height]:
            top, bottom = min(stale), max(stale) + 1  # Textual composes only those that are stale
            self._composed[top:bottom] = _lines(super().render_lines(Region(0, top, width, bottom - top)))
        self._stale = frozenset()
        lines = self._composed[crop.y : crop.bottom]
        return lines if crop.width == width else [line.crop(crop.x, crop.right) for line in lines]


def _lines(strips: Iterable[Strip]) -> list[Strip]:
    return [Line(strip, strip.cell_length) for strip in strips]


class Box(Container, Cached):
    """A container."""


class Row(Horizontal, Cached):
    """Widgets side by side."""


class Column(Vertical, Cached):
    """Widgets on top of each other."""
