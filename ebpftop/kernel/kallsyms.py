"""The kernel's own functions by address: /proc/kallsyms, whose addresses only root may see."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

PATH = "/proc/kallsyms"
CORE = "vmlinux"  # what is told as the module of what belongs to none
_CODE = frozenset(b"tTwW")
_LONGEST = 1 << 20  # bytes; beyond, an address lies behind the last function, not in it


class Symbol(NamedTuple):
    """`start` <= address < `end`."""

    start: int
    end: int
    name: str
    module: str


def resolve(fd: int, addresses: Iterable[int]) -> list[Symbol]:
    """The functions these addresses lie in, each once. `fd` is /proc/kallsyms, opened by root. Raises `OSError`."""
    with os.fdopen(os.dup(fd), "rb") as file:
        lines = [line for line in file.read().split(b"\n") if line]
    lines.sort()  # by address, which all lines begin with in 16 digits; a module's symbols come after the kernel's
    starts = [int(line[:16], 16) for line in lines]
    if not starts or not starts[-1]:
        return []  # kptr_restrict hides them
    found: dict[int, Symbol] = {}
    for address in addresses:
        after = bisect_right(starts, address)
        if after and starts[after - 1] not in found:
            symbol = _symbol(lines, starts, after)
            if symbol is not None and address < symbol.end:
                found[symbol.start] = symbol
    return list(found.values())


def _symbol(lines: list[bytes], starts: list[int], after: int) -> Symbol | None:
    """The symbol that starts last before `after`; of several names for one place the one that is used most likely."""
    start = starts[after - 1]
    end = starts[after] if after < len(starts) else start + _LONGEST
    first = after - 1
    while first and starts[first - 1] == start:
        first -= 1
    names = [line[19:].partition(b"\t") for line in lines[first:after] if line[17] in _CODE]
    if not names or end - start > _LONGEST:
        return None
    name, _, module = min(names, key=lambda parts: (parts[0].startswith(b"_"), len(parts[0]), parts[0]))
    return Symbol(start, end, _text(name), _text(module).strip("[]") or CORE)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
