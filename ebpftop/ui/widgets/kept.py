"""A widget that keeps its painted lines and repaints only those that changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.content import Content
from textual.geometry import Region, Size
from textual.markup import parse_style
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.visual import Visual, visualize

from ebpftop.ui.widgets.cached import Cached


class Kept(Cached):
    """Call `update_lines` after new values: it compares. `refresh` without regions, which Textual calls for a new style
    or focus, discards all lines.

    `look` is a component class's full style. `mark` is only what the class adds, to lay over a line. `segments_of` are
    the segments of a line of `Content`.
    """

    _strips: list[Strip] | None = None  # as painted, or as they will be
    _strips_size = Size(0, 0)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._looks: dict[tuple[str, bool], Style] = {}
        self._parsed: dict[str, VisualStyle] = {}  # of the theme, kept because reading them is slow

    @abstractmethod
    def draw(self) -> Sequence[Strip]:
        """The lines for the widget's current size; missing lines at the end are blank."""

    def update_lines(self) -> None:
        """Draw again, and repaint the lines that differ from the painted ones."""
        size = self.size  # Textual looks for it on the screen each time
        if self._strips is None or self._strips_size != size:
            self.refresh()
            return
        drawn = self._fill(self.draw(), size)
        changed = [y for y, (old, new) in enumerate(zip(self._strips, drawn, strict=True)) if old != new]
        for y in changed:
            self._strips[y] = drawn[y]
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))

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

    def segments_of(self, content: Content) -> list[Segment]:
        pieces = content.render(self.visual_style, "", self._parse)
        return [Segment(text, style.rich_style) for text, style in pieces if text]

    def _parse(self, style: str | VisualStyle) -> VisualStyle:
        if isinstance(style, VisualStyle):
            return style
        if style not in self._parsed:
            self._parsed[style] = parse_style(style, self.app.theme_variables)
        return self._parsed[style]

    def notify_style_update(self) -> None:
        self._strips = None
        self._looks.clear()
        self._parsed.clear()
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._strips_size != self.size:
            self._strips = None
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        if self._strips is None:
            self._strips_size = self.size
            self._strips = self._fill(self.draw(), self._strips_size)
        return self._strips[y] if 0 <= y < len(self._strips) else Strip.blank(self._strips_size.width, self.look())

    def _fill(self, drawn: Sequence[Strip], size: Size) -> list[Strip]:
        missing = size.height - len(drawn)
        if missing <= 0:
            return [*drawn[: size.height]]
        return [*drawn, *[Strip.blank(size.width, self.look())] * missing]


class Words(Kept):
    """Lines given as `Content` or `Text`."""

    @abstractmethod
    def words(self) -> Content | Text:
        """The widget's text, for its current size."""

    def render(self) -> Content | Text:
        return self.words()

    def draw(self) -> list[Strip]:
        width, height = self.size
        visual, style = visualize(self, self.words(), markup=False), self.look()
        strips = Visual.to_strips(self, visual, width, height, self.visual_style)
        return [strip.adjust_cell_length(width, style).simplify() for strip in strips]
