"""Makes text from the kernel, a process or a tape harmless: no such text reaches the screen in any other way."""

from __future__ import annotations

from ebpftop.base.inert import inert as escaped

CELL = 1_000  # characters of a text that a cell considers at most


def inert(text: str) -> str:
    """The text on one line, control and format characters as escapes (`\\x1b[31m`), a tab as a space.

    Markup needs no escaping: `Content` and `Segment` don't parse it.
    """
    return text if text.isprintable() else escaped(text.replace("\t", " "))


def cell(text: str) -> str:
    """The beginning of the text, inert, as much as a cell of a table can show."""
    return inert(text[:CELL])


def for_input(text: str) -> str:
    """The first line of a text for an input line, which draws its value as it is: a space stands for everything
    unprintable. As a query, whose words are looked for singly, it still finds the text.
    """
    line = next(iter(text.splitlines()), "")
    return line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)
