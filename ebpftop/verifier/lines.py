"""From an instruction back to the author's line of C, through BCC's rewriting.

BCC compiles a text that it rewrote: lines shift, some are added. `mark` numbers the author's statements with `#line`,
so that clang's messages and BCC's listing of instructions under their source lines (DEBUG_SOURCE, debug=0x8) give the
author's numbers. The file name must be the one BCC compiles, `/virtual/main.c`; under another it lists no lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

FILE = "/virtual/main.c"

_INERT = re.compile(r"""//.*|/\*.*?\*/|(?P<open>/\*.*)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?""", re.DOTALL)
_FUNCTION = re.compile(r"Disassembly of function (\w+)")
_LINE = re.compile(r"// Line *(\d+)\s*$")  # no space before numbers of four digits and more
_INSTRUCTION = re.compile(r" *(\d+):\t")
_SHOWN = re.compile(r"(\d+): \([0-9a-f]{2}\) ")


def mark(text: str, base: int = 0) -> str:
    """The same text with a `#line` of base + its number before each line that begins a statement or a directive.

    None goes between the lines of one statement, where it could land among a macro's arguments or in a text BCC
    replaces, nor into a comment, nor after a backslash. There clang's own counting holds, as nothing is inserted.
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
    """Lines, each with those that a backslash at its end joins to it."""
    held: list[str] = []
    for line in text.split("\n"):
        held.append(line)
        if not line.rstrip().endswith("\\"):
            yield held
            held = []
    if held:
        yield held


class _Reader:
    """Follows comments and parentheses from line to line."""

    def __init__(self) -> None:
        self._comment = False
        self._depth = 0
        self._branches: list[int] = []  # the depth at each open #if: its branches all begin there

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


def lines_of(debug_source: str) -> dict[str, dict[int, int]]:
    """{function: {instruction: line}} from what BCC prints under DEBUG_SOURCE. Not every one has a line.

    BCC leaves out numbers beyond the length of its own text: code under such numbers counts to the line before.
    """
    table: dict[str, dict[int, int]] = {}
    function: dict[int, int] | None = None
    line = 0
    for row in debug_source.splitlines():
        if match := _FUNCTION.match(row):
            function, line = table.setdefault(match[1], {}), 0
        elif match := _LINE.search(row):
            line = int(match[1])
        elif function is not None and line and (match := _INSTRUCTION.match(row)):
            function[int(match[1])] = line
    return table


def quote(log: str, quotes: Mapping[int, str]) -> str:
    """The log with the author's own lines quoted: `; *count += 1; @ FILE:18` before the instructions that come from it.

    What the kernel quotes is BCC's rewritten text, and by the author's numbers the wrong lines of it; some kernels
    write no numbers, some logs have no quotes. `quotes` has that of each instruction where another line begins, "" for
    one that nobody wrote.
    """
    at = [""]
    for insn in range(max(quotes, default=0) + 1):
        at.append(quotes.get(insn, at[-1]))
    out: list[str] = []
    last = ""
    for row in log.split("\n"):
        if row.startswith(";"):
            continue
        if match := _SHOWN.match(row):
            quoted = at[min(int(match[1]) + 1, len(at) - 1)]
            if quoted != last and quoted:
                out.append(quoted)
            last = quoted
        out.append(row)
    return "\n".join(out)


def quotes(table: Mapping[int, int], source: str, file: str) -> dict[int, str]:
    """The quote of each instruction of a table of lines, as from `lines_of`."""
    return {insn: quote_of(line, source, file) for insn, line in table.items()}


def quote_of(line: int, source: str, file: str) -> str:
    """One line of a source, "" where it has none of that number."""
    text = source.split("\n")
    return f"; {text[line - 1].strip()} @ {file}:{line}" if 0 < line <= len(text) else ""


def line_for(table: Mapping[int, int], insn: int) -> int | None:
    """The line of an instruction of one function, or of the nearest one before it that has a line.

    Code that the compiler made up has none: `while (1);` becomes a bare jump to itself.
    """
    before = max((known for known in table if known <= insn), default=None)
    return None if before is None else table[before]
