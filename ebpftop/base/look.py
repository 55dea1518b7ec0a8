"""How text is written to a stream: wrapped and coloured for a terminal, plain for a pipe or a file."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from ebpftop.base.inert import inert

NARROWEST, WIDEST = 40, 120  # columns of text
PIPED = 100
BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"


class Look(NamedTuple):
    """width: in columns. colour: whether escape sequences are allowed. terminal: whether the stream is a terminal."""

    width: int
    colour: bool
    terminal: bool = False

    def styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text and code else text

    def wrapped(self, text: str, indent: str = "") -> str:
        """The text, made inert and wrapped to the width."""
        lines = textwrap.wrap(inert(text), max(NARROWEST, self.width - len(indent)), break_on_hyphens=False) or [""]
        return "\n".join(indent + line for line in lines)

    def beside(self, head: str, width: int, text: str, style: str = "") -> str:
        """The text, wrapped, to the right of a head that takes `width` columns without its escape sequences."""
        lines = self.wrapped(text, " " * width).split("\n")
        return "\n".join(
            [head + self.styled(lines[0][width:], style), *(self.styled(line, style) for line in lines[1:])]
        )


def look_of(stream: TextIO) -> Look:
    """Colour on a terminal unless NO_COLOR (no-color.org) or TERM forbid it; plain text elsewhere."""
    if not stream.isatty():
        return Look(PIPED, colour=False)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return Look(min(WIDEST, shutil.get_terminal_size().columns), colour=not plain, terminal=True)


def record(fields: Sequence[str]) -> str:
    """One line for programs: the fields, made inert, separated by tabs."""
    return "\t".join(map(inert, fields))
