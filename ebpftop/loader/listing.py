"""BCC's listing of a program under its source lines (DEBUG_SOURCE, debug=0x8), read as a table."""

from __future__ import annotations

import re

from ebpftop.catalog.numbering import place

_FUNCTION = re.compile(r"Disassembly of function (\w+)")
_LINE = re.compile(r"// Line *(\d+)\s*$")  # no space before numbers of four digits and more
_INSTRUCTION = re.compile(r" *(\d+):\t")


def lines_of(debug_source: str) -> dict[str, dict[int, int]]:
    """{function: {instruction: line}} from what BCC prints under DEBUG_SOURCE. Not every instruction has a line.

    BCC omits line numbers beyond the length of its own text: code at such lines counts to the previous line.
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


def places_of(table: dict[int, int], headers: int) -> list[tuple[int, int, int]]:
    """The start of each new line, as (instruction, file, line), from one function's table; see `numbering.place`."""
    places: list[tuple[int, int, int]] = []
    last = 0
    for insn, number in sorted(table.items()):
        if number != last and (found := place(number, headers)):
            places.append((insn, *found))
        last = number
    return places
