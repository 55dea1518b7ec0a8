"""One line for a terminal that is too small; it disappears when there is room again."""

from __future__ import annotations

from textual.content import Content
from textual.screen import Screen

LEAST_WIDTH, LEAST_HEIGHT = 60, 15


class TooSmall(Screen[None]):
    DEFAULT_CSS = """
    TooSmall {
        align: center middle;
        background: $background;
        color: $warning;
        content-align: center middle;
    }
    """

    def render(self) -> Content:
        width, height = self.app.size
        return Content(f"▲ {width}×{height} is too small: ebpftop needs {LEAST_WIDTH}×{LEAST_HEIGHT}")

    def on_resize(self) -> None:
        self.refresh()


def is_too_small(width: int, height: int) -> bool:
    return width < LEAST_WIDTH or height < LEAST_HEIGHT
