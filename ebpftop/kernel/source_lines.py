"""The source lines of a function's code."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

MOST = 512  # rows of one function


class SourceLines(NamedTuple):
    """files: paths as the compiler recorded them. rows: (address, index of `files`, line) by address, each of which
    holds up to the next one; line 0 is code without a line.
    """

    files: list[str]
    rows: list[tuple[int, int, int]]


NONE = SourceLines([], [])


def cut(rows: Sequence[tuple[int, int, int]], start: int, end: int) -> list[tuple[int, int, int]]:
    """The rows that hold at `start` <= address < `end`, without repetitions."""
    first = max(0, bisect_right(rows, start, key=lambda row: row[0]) - 1)
    last = bisect_left(rows, end, key=lambda row: row[0])
    found: list[tuple[int, int, int]] = []
    for address, file, line in rows[first:last]:
        if found and found[-1][0] == address:
            found.pop()  # of several at one address, the last one holds
        if not found or found[-1][1:] != (file, line):
            found.append((max(start, address), file, line))
        if len(found) >= MOST:
            break
    return found


def numbered(rows: Sequence[tuple[int, int, int]], names: dict[int, str]) -> SourceLines:
    """Rows, with only the files that they refer to."""
    order = {file: at for at, file in enumerate(dict.fromkeys(file for _, file, _ in rows))}
    return SourceLines([names.get(file, "") for file in order], [(at, order[file], line) for at, file, line in rows])
