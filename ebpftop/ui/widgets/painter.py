"""A scrolling widget that draws its own lines, with styles cached per theme."""

from __future__ import annotations

from rich.style import Style
from textual.scroll_view import ScrollView


class Painter(ScrollView):
    """`look` is a component class's full style; `mark` is only what the class adds, to lay over a line."""

    def __init__(self) -> None:
        super().__init__()
        self._looks: dict[tuple[str, bool], Style] = {}

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
        self.refresh()  # the cursor looks different

    def on_blur(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        self._looks.clear()
        super().notify_style_update()
