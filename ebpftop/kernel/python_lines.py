"""Finds the lines of a CPython function by instruction, from its location table (3.11 and newer).

An entry is a byte with its kind and its length in instructions of two bytes, followed by bytes that depend on the kind
and have the highest bit clear: Objects/locations.md in CPython's source. The table is untrusted and may be truncated.
"""

from __future__ import annotations

from bisect import bisect_right

_UNIT = 2  # bytes of an instruction
_NONE, _LONG, _NO_COLUMN = 15, 14, 13
_ONE_LINE = 10  # kinds from here up to _NO_COLUMN give the number of lines to advance
_LONGEST = 6  # bytes of a number
_LAST = 1 << 31  # line numbers are below


class PythonLines:
    """The lines of one function. first: its own line."""

    def __init__(self, table: bytes, first: int) -> None:
        self._starts: list[int] = []
        self._lines: list[int] = []
        self._end = 0
        self._read(table, first)

    def line(self, distance: int) -> int:
        """The line at this many bytes from the first instruction; 0 if unknown."""
        after = bisect_right(self._starts, distance)
        return self._lines[after - 1] if after and distance < self._end else 0

    def _read(self, table: bytes, line: int) -> None:
        at = place = 0
        while at < len(table):
            head, at = table[at], at + 1
            kind, length = head >> 3 & 15, (head & 7) + 1
            if not head & 128:
                break  # no entry begins here
            if kind in (_LONG, _NO_COLUMN):
                line += _signed(table, at)
            elif _ONE_LINE <= kind < _NO_COLUMN:
                line += kind - _ONE_LINE
            known = line if kind != _NONE and 0 < line < _LAST else 0
            if not self._lines or self._lines[-1] != known:
                self._starts.append(place)
                self._lines.append(known)
            place += length * _UNIT
            while at < len(table) and not table[at] & 128:
                at += 1
        self._end = place


def _signed(table: bytes, at: int) -> int:
    """A signed number of six bits a byte; the seventh says that more follow, and the lowest bit of all is the sign."""
    value = 0
    for index, byte in enumerate(table[at : at + _LONGEST]):
        value |= (byte & 63) << 6 * index
        if not byte & 64:
            break
    return -(value >> 1) if value & 1 else value >> 1
