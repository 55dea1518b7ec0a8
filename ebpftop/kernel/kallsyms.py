"""Looks up the kernel's functions by address in /proc/kallsyms, which shows addresses to root only."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

PATH = "/proc/kallsyms"
CORE = "vmlinux"  # the module name of functions that belong to no module
_CODE = (b"t", b"T", b"w", b"W")
_LONGEST = 1 << 20  # bytes; an address further from its symbol is not in that function


class Symbol(NamedTuple):
    """`start` <= address < `end`."""

    start: int
    end: int
    name: str
    module: str


def resolve(fd: int, addresses: Iterable[int]) -> list[Symbol]:
    """The functions that contain these addresses, each once. `fd`: /proc/kallsyms opened by root. Raises `OSError`."""
    with os.fdopen(os.dup(fd), "rb") as file:
        lines = file.read().splitlines()
    lines.sort()  # by address: lines begin with 16 digits; modules' symbols come after the kernel's
    if not lines or not _start(lines[-1]):
        return []  # kptr_restrict hides them
    found: dict[int, Symbol] = {}
    for address in addresses:
        after = bisect_right(lines, b"%016x~" % address)
        if after and _start(lines[after - 1]) not in found:
            symbol = _symbol(lines, after)
            if symbol is not None and address < symbol.end:
                found[symbol.start] = symbol
    return list(found.values())


def _start(line: bytes) -> int:
    """The start address; 0 if the line isn't a symbol."""
    try:
        return int(line[:16], 16)
    except ValueError:
        return 0


def _symbol(lines: list[bytes], after: int) -> Symbol | None:
    """The last symbol that starts before `after`; if an address has several names, the most likely one."""
    start = _start(lines[after - 1])
    end = _start(lines[after]) if after < len(lines) else start + _LONGEST
    first = bisect_left(lines, lines[after - 1][:16])
    names = [line[19:].partition(b"\t") for line in lines[first:after] if line[17:18] in _CODE]
    if not names or end - start > _LONGEST:
        return None
    name, _, module = min(names, key=lambda parts: (parts[0].startswith(b"_"), len(parts[0]), parts[0]))
    return Symbol(start, end, _text(name), _text(module).strip("[]") or CORE)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
