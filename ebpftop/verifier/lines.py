"""Maps an instruction back to the author's line of C, and quotes the author's lines in a log."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHOWN = re.compile(r"(\d+): \([0-9a-f]{2}\) ")


def quote(log: str, quotes: Mapping[int, str]) -> str:
    """The log with the author's own lines quoted: `; *count += 1; @ FILE:18` before the instructions that come from it.

    The kernel quotes BCC's rewritten text, at wrong lines for the author's numbers; some kernels write no numbers, some
    logs have no quotes. `quotes` holds the quote for each instruction where another line begins, "" for generated code.
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
    """One line of a source, "" if there is no such line."""
    text = source.split("\n")
    return f"; {text[line - 1].strip()} @ {file}:{line}" if 0 < line <= len(text) else ""


def line_for(table: Mapping[int, int], insn: int) -> int | None:
    """The line of an instruction of one function, or of the nearest one before it that has a line.

    Code that the compiler generated has none: `while (1);` becomes a bare jump to itself.
    """
    before = max((known for known in table if known <= insn), default=None)
    return None if before is None else table[before]
