"""Functions that a just-in-time compiler made, as its perf map tells: lines `START SIZE NAME`, both numbers in hex.

The file is anybody's. Of however many lines only those are kept that an address is asked of. Format: the kernel's
tools/perf/Documentation/jit-interface.txt.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

LARGEST = 64 << 20  # bytes of a map; what follows is not read
_LONGEST = 4096  # bytes of a line
_HIGHEST, _LARGEST_FUNCTION = 1 << 63, 1 << 32


class Compiled(NamedTuple):
    """`start` <= address < `end`."""

    start: int
    end: int
    name: bytes


def compiled(file: BinaryIO, addresses: Iterable[int]) -> dict[int, Compiled]:
    """The functions these addresses lie in; where several do, the one that begins last, and is written down last.

    Raises `OSError`.
    """
    wanted = sorted(set(addresses))
    found: dict[int, Compiled] = {}
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
            for address in wanted[bisect_left(wanted, start) : bisect_left(wanted, start + size)]:
                if address not in found or found[address].start <= start:
                    found[address] = Compiled(start, start + size, parts[2].removesuffix(b"\n"))
    return found
