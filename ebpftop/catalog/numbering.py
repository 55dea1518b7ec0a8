"""Numbers the lines in the one text that BCC compiles, so that a number alone identifies the file of a line.

BCC rewrites the text it is given: lines shift, and some are added. `mark` numbers the author's statements with `#line`,
so that clang's messages and BCC's listing of instructions under their source lines (DEBUG_SOURCE, debug=0x8) give the
author's numbers. The author's lines keep their numbers; those of the shared headers are numbered from `SPLICED`, `ROOM`
for each. The file name must be the one that BCC compiles, `/virtual/main.c`; under another name BCC lists no lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

FILE = "/virtual/main.c"
SPLICED = 100_000
ROOM = 1000  # lines a shared header may have
AUTHORS_FILE = "probe.bpf.c"

_INERT = re.compile(r"""//.*|/\*.*?\*/|(?P<open>/\*.*)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?""", re.DOTALL)


def numbered(headers: Mapping[str, str]) -> dict[str, str]:
    """The texts of the headers with their lines numbered as those of one translation unit."""
    return {name: mark(text, SPLICED + ROOM * at) for at, (name, text) in enumerate(headers.items())}


def place(number: int, headers: int) -> tuple[int, int] | None:
    """(file, line) of a number in a message of the compiler, or in its listing: file 0 is the author's C, file n the
    nth of this many headers. None for a number without a line in any of them.
    """
    if 0 < number < SPLICED:
        return 0, number
    at, line = divmod(number - SPLICED, ROOM)
    return (at + 1, line) if 0 <= at < headers else None


def mark(text: str, base: int = 0) -> str:
    """The same text with a `#line` of base + its number before each line that begins a statement or a directive.

    None goes between the lines of one statement, where it could be inside a macro's arguments or in text that BCC
    replaces, nor into a comment, nor after a backslash. Clang's own counting is right there, because nothing is
    inserted.
    """
    out: list[str] = []
    number, ready, reader = base + 1, True, _Reader()
    for lines in _logical(text):
        between = reader.between()
        code = reader.read("\n".join(lines))
        if ready and between and code:
            out.append(f'#line {number} "{FILE}"')
        out += lines
        number += len(lines)
        if code:
            ready = code[-1] in ";{}" or code[0] == "#"
    return "\n".join(out) + "\n"


def _logical(text: str) -> Iterator[list[str]]:
    """Logical lines: each line with the following ones that a backslash joins to it."""
    held: list[str] = []
    for line in text.split("\n"):
        held.append(line)
        if not line.rstrip().endswith("\\"):
            yield held
            held = []
    if held:
        yield held


class _Reader:
    """Tracks comments and parentheses from line to line."""

    def __init__(self) -> None:
        self._comment = False
        self._depth = 0
        self._branches: list[int] = []  # the depth at each open #if: all its branches begin there

    def between(self) -> bool:
        """Whether a line here begins outside of comments and parentheses."""
        return not self._comment and not self._depth

    def read(self, line: str) -> str:
        """The line's code: without comments, strings emptied, stripped."""
        if self._comment:
            _, end, line = line.partition("*/")
            self._comment = not end
        code = _INERT.sub(self._inert, line).strip()
        if code.startswith("#"):
            self._directive(code[1:].lstrip())
        else:
            self._depth = max(0, self._depth + code.count("(") - code.count(")"))
        return code

    def _inert(self, match: re.Match[str]) -> str:
        if match["open"] is not None:
            self._comment = True
        return '""' if match[0][0] in "\"'" else " "

    def _directive(self, code: str) -> None:
        if code.startswith("if"):
            self._branches.append(self._depth)
        elif code.startswith("el") and self._branches:
            self._depth = self._branches[-1]
        elif code.startswith("endif") and self._branches:
            self._branches.pop()
