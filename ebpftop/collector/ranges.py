"""Functions by address: those whose ranges are known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from ebpftop.handover.protocol import SymbolRange


class Ranges:
    """Ranges don't overlap. A range that begins where another did replaces it."""

    def __init__(self) -> None:
        self._ranges: dict[int, SymbolRange] = {}
        self._starts: list[int] = []

    def add(self, ranges: Iterable[SymbolRange]) -> None:
        self._ranges |= {each.start: each for each in ranges}
        self._starts = sorted(self._ranges)

    def drop(self, mapped: set[str]) -> None:
        """Forget the functions of this mapping."""
        self._ranges = {start: each for start, each in self._ranges.items() if each.mapped not in mapped}
        self._starts = sorted(self._ranges)

    def find(self, address: int) -> SymbolRange | None:
        after = bisect_right(self._starts, address)
        if not after:
            return None
        found = self._ranges[self._starts[after - 1]]
        return found if address < found.end else None


def shifted(known: SymbolRange, by: int) -> SymbolRange:
    """The same function at another address."""
    return msgspec.structs.replace(known, start=known.start + by, end=known.end + by, base=known.base + by)
