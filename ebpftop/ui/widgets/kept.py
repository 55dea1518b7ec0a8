"""A widget that keeps the lines it painted, and has only those painted again that changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from rich.style import Style
from rich.text import Text
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual, visualize

from ebpftop.ui.widgets.cached import Cached


class Kept(Cached):
    """`update_lines` after new values: it compares. `refresh` without regions, which Textual calls for a new style or
    focus, forgets all lines.

    `look` is a component class's full style; `mark` is only what the class adds, to lay over a line.
    """

    _strips: list[Strip] | None = None  # as painted, or as they will be
    _strips_size = Size(0, 0)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._looks: dict[tuple[str, bool], Style] = {}

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

    def look(self, name: str = "") -> Style:
        return self._style(name, False)

    def mark(self, name: str) -> Style:
        return self._style(name, True)

    def _style(self, name: str, partial: bool) -> Style:
        style = self._looks.get((name, partial))
        if style is None:
            style = self.get_component_rich_style(name, partial=partial) if name else self.rich_style
            self._looks[name, partial] = style
        return style

    def notify_style_update(self) -> None:
        self._strips = None
        self._looks.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        if self._strips is None or self._strips_size != self.size:
            self._strips, self._strips_size = self._fill(self.draw()), self.size
        return self._strips[y] if 0 <= y < len(self._strips) else self._blank()

    def _fill(self, drawn: Sequence[Strip]) -> list[Strip]:
        missing = self.size.height - len(drawn)
        return [*drawn, *[self._blank()] * missing] if missing > 0 else [*drawn[: self.size.height]]

    def _blank(self) -> Strip:
        return Strip.blank(self.size.width, self.look())


class Words(Kept):
    """Lines given as `Content` or `Text`."""

    @abstractmethod
    def words(self) -> Content | Text:
        """What the widget says, for its present size."""

    def render(self) -> Content | Text:
        return self.words()

    def draw(self) -> list[Strip]:
        width, height = self.size
        visual, style = visualize(self, self.words(), markup=False), self.look()
        strips = Visual.to_strips(self, visual, width, height, self.visual_style)
        return [strip.adjust_cell_length(width, style).simplify() for strip in strips]
