"""A scrolling widget that draws its own lines."""

from __future__ import annotations

from abc import abstractmethod

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from ebpftop.ui.widgets.kept import Kept


class Painter(ScrollView, Kept):
    """Draws the visible lines one by one."""

    @abstractmethod
    def line(self, y: int) -> Strip:
        """The visible line y, as wide as the widget."""

    def draw(self) -> list[Strip]:
        return [self.line(y) for y in range(self.size.height)]

    def reach(self, width: int, height: int) -> None:
        """Set how far it scrolls. That needs a new layout only if a scroll bar appears or disappears."""
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
        """The start and length of the scroll bar's thumb, in the eighths of a cell in which it is drawn."""
        page = 8 * self.size.height
        return round(self.scroll_y / max(1, height) * page), round(min(1.0, self.size.height / max(1, height)) * page)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        self.forget()
        super().watch_scroll_x(old_value, new_value)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self.forget()
        super().watch_scroll_y(old_value, new_value)

    def on_focus(self) -> None:
        self.update_lines()  # the cursor looks different

    def on_blur(self) -> None:
        self.update_lines()

    # Jump without animation: moving text can't be read.

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        self.scroll_end(animate=False)
