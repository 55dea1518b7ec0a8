"""Reads the functions of a just-in-time compiler from its perf map: lines `START SIZE NAME`, both numbers in hex.

The file is untrusted. However many lines it has, only those for requested addresses are kept. Format: the kernel's
tools/perf/Documentation/jit-interface.txt.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

LARGEST = 64 << 20  # bytes of a map; the rest is not read
_LONGEST = 4096  # bytes of a line
_HIGHEST, _LARGEST_FUNCTION = 1 << 63, 1 << 32


class Compiled(NamedTuple):
    """`start` <= address < `end`."""

    start: int
    end: int
    name: bytes


def version(fd: int) -> str:
    """A version of the file, which differs after each change."""
    status = os.fstat(fd)
    return f"{status.st_dev:x}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def compiled(file: BinaryIO, addresses: Iterable[int]) -> dict[int, Compiled]:
    """The functions that contain these addresses.

    The map is a log: a function ends once a later line claims any of its memory, because that memory is then reused for
    other code. Raises `OSError`.
    """
    wanted = sorted(set(addresses))
    starts: list[int] = []  # of functions that contain an address, in order; no two overlap
    functions: dict[int, Compiled] = {}
    room = LARGEST
    while room > 0 and (line := file.readline(_LONGEST)):
        room -= len(line)
        parts = line.split(None, 2)
        if len(parts) < 3:
            continue
        with contextlib.suppress(ValueError):
            start, size = int(parts[0], 16), int(parts[1], 16)
            if not (0 <= start < _HIGHEST and 0 < size < _LARGEST_FUNCTION):
                continue
            end = start + size
            first, after = bisect_left(starts, start), bisect_left(starts, end)
            if first and functions[starts[first - 1]].end > start:
                first -= 1
            holds = bisect_left(wanted, start) < bisect_left(wanted, end)
            if holds or first < after:
                for ended in starts[first:after]:
                    del functions[ended]
                starts[first:after] = [start] if holds else []
            if holds:
                functions[start] = Compiled(start, end, parts[2].removesuffix(b"\n"))
    found: dict[int, Compiled] = {}
    for address in wanted:
        before = bisect_right(starts, address) - 1
        if before >= 0 and address < functions[starts[before]].end:
            found[address] = functions[starts[before]]
    return found
