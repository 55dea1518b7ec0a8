"""One line of pieces that drops the least important ones when it gets narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

GAP = 3


class Piece(Struct, frozen=True):
    """`rank` 0 is dropped last."""

    content: Content
    rank: int = 0


def piece(text: str, style: str = "", rank: int = 0) -> Piece:
    return Piece(Content.styled(text, style), rank)


def fit(left: Sequence[Piece], right: Sequence[Piece], width: int, gap: int = GAP) -> Content:
    """`left` from the left edge, `right` up to the right one; pieces of the highest rank are dropped until the line
    fits.
    """
    left, right = list(left), list(right)
    while _needed(left, right, gap) > width and len(left) + len(right) > 1:
        pieces = left + right
        out = max(range(len(pieces)), key=lambda at: (pieces[at].rank, at))
        (left if out < len(left) else right).remove(pieces[out])
    space = Content(" " * gap)
    head, tail = space.join(p.content for p in left), space.join(p.content for p in right)
    return Content.assemble(head, " " * max(0, width - head.cell_length - tail.cell_length), tail).truncate(
        width, ellipsis=True
    )


def merged(pieces: Iterable[tuple[str, Style]], length: int, width: int, blank: Style) -> Strip:
    """A line of pieces with `length` cells in all, cut to `width` or filled with `blank`: one segment per style,
    because the terminal is sent one sequence for each.
    """
    segments: list[Segment] = []
    texts: list[str] = []
    last: Style | None = None
    for text, style in (*pieces, (" " * (width - length), blank)):
        if style != last and texts:
            segments.append(Segment("".join(texts), last))
            texts = []
        if text:
            texts.append(text)
            last = style
    if texts:
        segments.append(Segment("".join(texts), last))
    strip = Strip(segments, max(length, width))
    return strip if length <= width else strip.crop(0, width)


def painted(strip: Strip, style: Style) -> Strip:
    """The strip with a style laid over its own (Textual's `apply_style` lays it under)."""
    return Strip([Segment(text, own + style if own else style) for text, own, _ in strip], strip.cell_length)


def _needed(left: Sequence[Piece], right: Sequence[Piece], gap: int) -> int:
    pieces = [*left, *right]
    return sum(p.content.cell_length for p in pieces) + gap * (len(pieces) - 1)
