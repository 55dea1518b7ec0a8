"""A `.gopclntab` with few functions, as Go's linker writes it; and a program that contains it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

GO_1_16, GO_1_18, GO_1_20 = 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1


class GoFunction(NamedTuple):
    """lines: (distance from the beginning, file, line) of the first instruction of each."""

    name: str
    size: int
    lines: Sequence[tuple[int, str, int]]


def go_table(functions: Sequence[GoFunction], text: int, magic: int = GO_1_20, *, tells_text: bool = True) -> bytes:
    """A table of consecutive functions, from `text` on."""
    wide = magic == GO_1_16
    names, files, values = b"", b"", b"\0"
    paths = list(dict.fromkeys(path for each in functions for _, path, _ in each.lines))
    offsets = []
    for path in paths:
        offsets.append(len(files))
        files += path.encode() + b"\0"
    units = struct.pack(f"<{len(paths)}I", *offsets)
    entry = text if wide else 0
    table, records = b"", b""
    pair = "<QQ" if wide else "<II"
    last = "<Q" if wide else "<I"
    before = struct.calcsize(pair) * len(functions) + struct.calcsize(last)
    for each in functions:
        table += struct.pack(pair, entry, before + len(records))
        of_files, values = (
            len(values),
            values + _encoded([(at, paths.index(path)) for at, path, _ in each.lines], each.size),
        )
        of_lines, values = len(values), values + _encoded([(at, line) for at, _, line in each.lines], each.size)
        begin = struct.pack("<Q" if wide else "<I", entry)
        records += begin + struct.pack("<iiIIIIII", len(names), 0, 0, 0, of_files, of_lines, 0, 0)
        names += each.name.encode() + b"\0"
        entry += each.size
    table += struct.pack(last, entry)
    words = 7 if wide else 8
    at = 8 + words * 8
    places = []
    for part in (names, units, files, values):
        places.append(at)
        at += len(part)
    places.append(at)
    head = [len(functions), len(paths), *([] if wide else [text if tells_text else 0]), *places]
    return struct.pack(f"<IHBB{words}Q", magic, 0, 1, 8, *head) + names + units + files + values + table + records


def _encoded(values: Sequence[tuple[int, int]], size: int) -> bytes:
    """Pairs of differences: of the value, and of the length for which it holds."""
    data, before = b"", -1
    ends = [*(at for at, _ in values[1:]), size]
    begin = 0
    merged: list[tuple[int, int]] = []
    for (_, value), end in zip(values, ends, strict=True):
        if merged and merged[-1][0] == value:
            merged[-1] = (value, end)
        else:
            merged.append((value, end))
    for value, end in merged:
        change = value - before
        data += _varint(change << 1 if change >= 0 else (-change - 1) << 1 | 1) + _varint(end - begin)
        before, begin = value, end
    return data + b"\0"


def _varint(number: int) -> bytes:
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])
