"""The text of a tape's mark, for a while after the tape was played past it."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.timeline import MARK


class Caption(Words):
    """As many lines as the text needs, at most three; hidden without a text."""

    DEFAULT_CSS = """
    Caption {
        height: auto;
        max-height: 3;
        padding: 0 1;
        color: $foreground;
        background: $cursor-quiet;
        display: none;
        &.-open { display: block; }
    }
    """

    text: reactive[str] = reactive("", repaint=False)

    def watch_text(self) -> None:
        self.set_class(bool(self.text), "-open")
        self.refresh(layout=True)

    def words(self) -> Content:
        return Content.assemble((f"{MARK} ", "bold $secondary"), inert(self.text))
