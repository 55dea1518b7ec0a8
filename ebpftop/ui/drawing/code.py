"""The author's C with colours."""

from __future__ import annotations

from textual.content import Content
from textual.highlight import HighlightTheme, highlight

from ebpftop.ui.drawing.inert import inert

TAB = 4


class Calm(HighlightTheme):
    """Few colours: what the language says, what the author says beside it, and values."""

    STYLES = {  # noqa: RUF012 (as Textual has it)
        ("Comment",): "$quiet italic",
        ("Comment", "Preproc"): "$quiet",
        ("Comment", "PreprocFile"): "$quiet",
        ("Keyword",): "$primary",
        ("Name", "Function"): "bold",
        ("Literal",): "$secondary",
    }


def highlighted(source: str) -> Content:
    """C as styled text, line by line as it was written; control characters are made visible."""
    return highlight("\n".join(inert(line.expandtabs(TAB)) for line in source.split("\n")), language="c", theme=Calm)
