"""Syntax highlighting for the author's C."""

from __future__ import annotations

from textual.content import Content
from textual.highlight import HighlightTheme, highlight

from ebpftop.ui.drawing.inert import inert

TAB = 4


class Calm(HighlightTheme):
    """Few colours: keywords, comments and values."""

    STYLES = {  # noqa: RUF012 (as Textual has it)
        ("Comment",): "$quiet italic",
        ("Comment", "Preproc"): "$quiet",
        ("Comment", "PreprocFile"): "$quiet",
        ("Keyword",): "$primary",
        ("Name", "Function"): "bold",
        ("Literal",): "$secondary",
    }


def highlighted(source: str) -> Content:
    """C as styled text with the original lines; control characters are shown as escapes."""
    return highlight("\n".join(inert(line.expandtabs(TAB)) for line in source.split("\n")), language="c", theme=Calm)
