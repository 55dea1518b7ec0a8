"""Text in columns of terminal cells."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

_GAP = "  "
_EIGHTHS = "▏▎▍▌▋▊▉█"
_LONGEST = 48  # cells of one column


class Column(NamedTuple):
    title: str
    texts: list[str]
    right: bool


def terminal_width(out: TextIO) -> int | None:
    """The width of the terminal that `out` writes to; None for a pipe or a file."""
    try:
        return os.get_terminal_size(out.fileno()).columns or None
    except (OSError, ValueError):
        return None


def cells(text: str) -> int:
    """The text's width in terminal cells: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, ending in … if it was cut."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "…"


def cut_left(text: str, width: int) -> str:
    """The end of the text in at most `width` cells, after … if it was cut."""
    if cells(text) <= width:
        return text
    text = text[-width:]
    while text and cells(text) > width - 1:
        text = text[1:]
    return "…" + text


def left(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    return " " * (width - cells(text)) + text


def widths(columns: Sequence[Column], known: Sequence[int] | None = None) -> list[int]:
    """The width each column needs, at least the `known` one."""
    needed = [min(_LONGEST, max(map(cells, {column.title, *column.texts}))) for column in columns]
    return [max(pair) for pair in zip(needed, known, strict=True)] if known else needed


def grid(columns: Sequence[Column], width: int | None, sizes: Sequence[int] | None = None) -> list[str]:
    """A line of titles, then one line per row. Columns that don't fit are dropped from the right.

    At least one remains, and the last one is cut rather than dropped if half of it fits. Without a width every column
    is there and nothing is cut.
    """
    sizes = list(sizes or widths(columns))
    if width is None:
        return _lines(columns, sizes, lambda text, _size: text)
    used, shown = 0, 0
    for size in sizes:
        room = width - used - (len(_GAP) if shown else 0)
        if size > room and shown and room < min(size, max(8, size // 2)):
            break
        sizes[shown] = max(1, min(size, room))
        used += sizes[shown] + (len(_GAP) if shown else 0)
        shown += 1
        if size > room:
            break
    return _lines(columns[:shown], sizes, cut)


def _lines(columns: Sequence[Column], sizes: Sequence[int], write: Callable[[str, int], str]) -> list[str]:
    fitted = [_fitted(column, size, write) for column, size in zip(columns, sizes, strict=False)]
    return [_GAP.join(row) for row in zip(*fitted, strict=True)]


def _fitted(column: Column, size: int, write: Callable[[str, int], str]) -> list[str]:
    """The title and the texts in `size` cells; each distinct text is fitted once, because a million events have few."""
    pad = right if column.right else left
    texts = (column.title, *column.texts)
    fitted = {text: pad(write(text, size), size) for text in {*texts}}
    return [fitted[text] for text in texts]


def bars_for(out: TextIO) -> str:
    """The eight steps of a bar: block characters, or ASCII if the stream's encoding lacks them."""
    try:
        _EIGHTHS.encode(getattr(out, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "       #"
    return _EIGHTHS


def bar(length: float, steps: str = _EIGHTHS) -> str:
    """A bar of `length` cells, in eighths; anything above zero shows at least the smallest step."""
    eighths = max(1, round(length * 8)) if length > 0 else 0
    whole, rest = divmod(eighths, 8)
    return (steps[7] * whole + (steps[rest - 1] if rest else "")).rstrip()
