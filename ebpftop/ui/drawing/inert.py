"""Text from the kernel, a process or a tape, made harmless: the one door between it and the screen."""

from __future__ import annotations

from ebpftop.base.inert import inert as escaped

CELL = 1_000  # characters of a text that a cell looks at, however long it is


def inert(text: str) -> str:
    """The text on one line, control and format characters written as escapes (`\\x1b[31m`), a tab as a space.

    Markup is no concern of it: what is shown goes into `Content` and `Segment`, which parse none.
    """
    return text if text.isprintable() else escaped(text.replace("\t", " "))


def cell(text: str) -> str:
    """As much of the text, inert, as a cell of a table can show."""
    return inert(text[:CELL])
