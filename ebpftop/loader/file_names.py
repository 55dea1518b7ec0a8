"""The names in a file: functions by address, and their source lines."""

from __future__ import annotations

from ebpftop.kernel.dwarf_lines import DebugLines
from ebpftop.kernel.elf import BadElf, Elf, Function
from ebpftop.kernel.go_table import GoTable
from ebpftop.kernel.source_lines import NONE, SourceLines

_SECTIONS = (b".debug_line", b".debug_line_str", b".debug_str")


class FileNames:
    """The names in a file and in its separate debug file. All methods raise `BadElf`, `OSError`."""

    def __init__(self, elf: Elf, debug: Elf | None) -> None:
        self.elf, self._debug = elf, debug
        self._go: GoTable | None = None
        self._has_go = False
        self._lines: DebugLines | None = None
        self._of: dict[int, SourceLines] = {}  # by where a function begins

    @property
    def stripped(self) -> bool:
        """Whether the names of its own functions are missing everywhere."""
        return self.elf.stripped and self._debug is None and self._table() is None

    def function(self, address: int) -> Function | None:
        """The function at a link-time address."""
        found = self._debug.function(address) if self._debug is not None else None
        if found is None and self.elf.stripped and (go := self._table()) is not None:
            found = go.function(address)
        return found or self.elf.function(address)

    def lines(self, function: Function) -> SourceLines:
        found = self._of.get(function.start)
        if found is None:
            found = self._of[function.start] = self._read_lines(function)
        return found

    def _read_lines(self, function: Function) -> SourceLines:
        go = self._table()
        found = go.lines(function.start, function.end) if go is not None else NONE
        if found.rows:
            return found
        if self._lines is None:
            self._lines = self._sections()
        return self._lines.of(function.start, function.end)

    def _table(self) -> GoTable | None:
        if not self._has_go:
            self._has_go = True
            try:
                self._go = GoTable.of(self.elf)
            except BadElf:  # of a version that is not known here: its symbols may be
                self._go = None
        return self._go

    def _sections(self) -> DebugLines:
        for elf in (self._debug, self.elf):
            if elf is not None and (lines := elf.section(_SECTIONS[0])) is not None and lines[1]:
                strings = [(elf.section(name) or (0, b""))[1] for name in _SECTIONS[1:]]
                return DebugLines(lines[1], *strings)
        return DebugLines(b"")
