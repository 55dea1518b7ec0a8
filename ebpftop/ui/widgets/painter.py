"""A scrolling widget that draws its own lines, with styles cached per theme."""

from __future__ import annotations

from abc import abstractmethod

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from ebpftop.ui.widgets.kept import Kept


class Painter(Kept, ScrollView):
    """`look` is a component class's full style; `mark` is only what the class adds, to lay over a line."""

    def __init__(self) -> None:
        super().__init__()
        self._looks: dict[tuple[str, bool], Style] = {}

    @abstractmethod
    def line(self, y: int) -> Strip:
        """The line y of what is on the screen, as wide as the widget."""

    def draw(self) -> list[Strip]:
        return [self.line(y) for y in range(self.size.height)]

    def reach(self, width: int, height: int) -> None:
        """How far it scrolls. A new layout only where a scroll bar comes or goes."""
        size = Size(width, height)
        if size == self.virtual_size:
            return
        always = self.styles.overflow_y == "scroll"
        page = self.size.height
        if size.width != self.virtual_size.width or not (
            always or (height > page) == (self.virtual_size.height > page)
        ):
            self.virtual_size = size
            return
        before = self._thumb(self.virtual_size.height)
        self.set_reactive(ScrollView.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.set_reactive(ScrollBar.window_virtual_size, height)
            if before != self._thumb(height):
                self.vertical_scrollbar.refresh()
        self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def _thumb(self, height: int) -> tuple[int, int]:
        """Where the scroll bar's thumb begins and how long it is, in the eighths of a cell in which it is drawn."""
        page = 8 * self.size.height
        return round(self.scroll_y / max(1, height) * page), round(min(1.0, self.size.height / max(1, height)) * page)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        self.forget()
        super().watch_scroll_x(old_value, new_value)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self.forget()
        super().watch_scroll_y(old_value, new_value)

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

    def on_focus(self) -> None:
        self.update_lines()  # the cursor looks different

    def on_blur(self) -> None:
        self.update_lines()

    def notify_style_update(self) -> None:
        self._looks.clear()
        super().notify_style_update()
