"""A prominent line that says that the source is gone, and what to do."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE


class Banner(Widget):
    DEFAULT_CSS = """
    Banner {
        dock: top;
        height: auto;
        margin: 1 0 0 0;
        padding: 0 1;
        background: $error 20%;
        color: $foreground;
        display: none;
        &.-open { display: block; }
        &:nocolor { text-style: reverse; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._content = Content("")

    def tell(self, text: str, keys: str) -> None:
        self._content = Content.assemble((f"{NOT_HERE} {inert(text)}", "bold $error"), "   ", keys)
        self.add_class("-open")
        self.refresh(layout=True)

    def close(self) -> None:
        self.remove_class("-open")

    def render(self) -> Content:
        return self._content
