"""Syntax highlighting for the author's C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from textual.content import Content, Span

from ebpftop.ui.drawing.inert import inert

TAB = 4


# Few colours: keywords, comments and values. By the kind of token, see `pygments.token`.
_STYLES = {
    ("Comment",): "$quiet italic",
    ("Comment", "Preproc"): "$quiet",
    ("Comment", "PreprocFile"): "$quiet",
    ("Keyword",): "$primary",
    ("Name", "Function"): "bold",
    ("Literal",): "$secondary",
}


class Code:
    """C as lines of styled text, with control characters as escapes. A line is highlighted when it is first needed,
    together with all lines before it; `highlighted` says how many are.
    """

    def __init__(self, source: str) -> None:
        lines = source.split("\n")
        self._plain = [inert(line.expandtabs(TAB)) for line in (lines if lines[-1] or len(lines) == 1 else lines[:-1])]
        self._styled = _highlighted(self._plain)
        self._lines: list[Content] = []

    def __len__(self) -> int:
        return len(self._plain)

    @property
    def highlighted(self) -> int:
        return len(self._lines)

    @property
    def widest(self) -> int:
        """The width in cells of the widest line."""
        return max((Content(line).cell_length for line in self._plain), default=0)

    def line(self, number: int) -> Content:
        """Counted from 0."""
        while len(self._lines) <= number:
            self._lines.append(next(self._styled))
        return self._lines[number]


def _highlighted(lines: Sequence[str]) -> Iterator[Content]:
    """Line by line. A token may span several lines."""
    texts: list[str] = []
    spans: list[Span] = []
    length = 0
    for kind, token in _lexer().get_tokens("".join(f"{line}\n" for line in lines)):
        style = _style(kind)
        for number, part in enumerate(token.split("\n")):
            if number:
                yield Content("".join(texts), spans).stylize_before("$text")
                texts, spans, length = [], [], 0
            if style and part:
                spans.append(Span(length, length + len(part), style))
            texts.append(part)
            length += len(part)


@cache
def _lexer() -> Any:
    from pygments.lexers.c_cpp import CLexer

    return CLexer(stripnl=False)


@cache
def _style(kind: Any) -> str:
    """The style of a kind of token, or of its parent kind."""
    while kind is not None:
        if style := _STYLES.get(kind):
            return style
        kind = kind.parent
    return ""
