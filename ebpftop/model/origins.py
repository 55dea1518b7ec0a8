"""The origins of a program's instructions: the author's lines, and the lines of shared headers behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ebpftop.catalog.csource import CSource
from ebpftop.verifier import lines

_DEEPEST = 8  # calls from one header's function to another's


class Origins:
    """The origins for one function, from the outcome's `places`, `text` and `headers`.

    Both have an entry where a new line begins. lines: (instruction, the author's line), ascending; for an instruction
    of a header, the author's line that calls it. quotes: the source line that a log shows before an instruction. `file`
    is the author's C in them.
    """

    def __init__(
        self, places: Sequence[tuple[int, int, int]], source: str, headers: Mapping[str, str], file: str
    ) -> None:
        self._author = CSource(source)
        self._headers = {name: CSource(text) for name, text in headers.items()}
        self.lines: list[tuple[int, int]] = []
        self.quotes: dict[int, str] = {}
        names = list(headers)
        before = 0
        for insn, number, line in places:
            if number == 0:
                before = line
                self.quotes[insn] = lines.quote_of(line, source, file)
            elif number <= len(names):
                name = names[number - 1]
                self.quotes[insn] = lines.quote_of(line, headers[name], name)
                line = self._call(name, line, before) or before
            else:
                continue  # from a tape made by hand
            if line:
                self.lines.append((insn, line))

    def _call(self, header: str, number: int, before: int) -> int | None:
        """The author's line that calls the header's function with this line: the next one, if there is one."""
        source = self._headers[header]
        names = {f.name for f in source.functions if source.line(f.start) <= number <= source.line(f.end)}
        for _ in range(_DEEPEST):
            calls = [line for name in names for line in _calls(self._author, name)]
            if calls:
                return min((line for line in calls if line >= before), default=max(calls))
            names = {
                function.name
                for other in self._headers.values()
                for function in other.functions
                if any(re.search(rf"\b{name}[ \t\n]*\(", other.body(function)) for name in names)
            }
        return None


def _calls(source: CSource, name: str) -> list[int]:
    return [source.line(match.start()) for match in re.finditer(rf"\b{name}[ \t\n]*\(", source.code)]
