"""A widget that keeps the lines it painted, and has only those painted again that changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from rich.text import Text
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual, visualize
from textual.widget import Widget


class Kept(Widget):
    """`update_lines` after new values: it compares. `refresh` without regions, which Textual calls for a new style or
    focus, forgets all lines.
    """

    _strips: list[Strip] | None = None  # as painted, or as they will be
    _strips_size = Size(0, 0)

    @abstractmethod
    def draw(self) -> Sequence[Strip]:
        """The lines of the widget's present size; those missing at the end are blank."""

    def update_lines(self) -> None:
        """Draw anew; have those lines painted that differ from the painted ones."""
        if self._strips is None or self._strips_size != self.size:
            self.refresh()
            return
        drawn = self._fill(self.draw())
        changed = [y for y, (old, new) in enumerate(zip(self._strips, drawn, strict=True)) if old != new]
        for y in changed:
            self._strips[y] = drawn[y]
        if changed:
            width = self.size.width
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def forget(self) -> None:
        """All lines look different: a refresh follows."""
        self._strips = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if repaint and not regions:
            self._strips = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        self._strips = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        if self._strips is None or self._strips_size != self.size:
            self._strips, self._strips_size = self._fill(self.draw()), self.size
        return self._strips[y] if 0 <= y < len(self._strips) else self._blank()

    def _fill(self, drawn: Sequence[Strip]) -> list[Strip]:
        height = self.size.height
        return [*drawn[:height], *[self._blank()] * (height - len(drawn))]

    def _blank(self) -> Strip:
        return Strip.blank(self.size.width, self.rich_style)


class Words(Kept):
    """Lines given as `Content` or `Text`."""

    @abstractmethod
    def words(self) -> Content | Text:
        """What the widget says, for its present size."""

    def render(self) -> Content | Text:
        return self.words()

    def draw(self) -> list[Strip]:
        width, height = self.size
        visual = visualize(self, self.words(), markup=False)
        return [
            strip.adjust_cell_length(width, self.rich_style).simplify()
            for strip in Visual.to_strips(self, visual, width, height, self.visual_style)
        ]
