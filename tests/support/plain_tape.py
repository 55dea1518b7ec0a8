"""A reader of tapes that shares no code with the program: it follows only the page on the format.

Values are those from msgpack; snapshots are rows of Python values by their keys.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

KINDS = {0: "frames", 1: "key", 2: "catalog", 4: "index", 8: "end"}
_FORMATS = {"|u1": "B", "|i1": "b", "<u2": "H", "<i2": "h", "<u4": "I", "<i4": "i", "<u8": "Q", "<i8": "q"}
_FORMATS |= {"<f4": "f", "<f8": "d"}


@dataclass
class Block:
    at: int
    kind: str
    first: int
    last: int
    data: bytes
    end: int

    def frames(self) -> Iterator[tuple[int, dict[str, Any]]]:
        at = 0
        while at < len(self.data):
            time, length = struct.unpack_from("<QI", self.data, at)
            at += 12 + length
            yield time, msgspec.msgpack.decode(self.data[at - length : at])


def blocks(path: Path) -> list[Block]:
    """All blocks of a whole tape of format 2, its end included."""
    data = path.read_bytes()
    assert data[:16] == b"ebpftop tape\x02\0\0\0"
    found, at = [], 16
    while at < len(data):
        stored, unpacked, first, last, kind = struct.unpack_from("<IIQQI", data, at)
        body = data[at + 28 : at + 28 + stored]
        content = zlib.decompress(body) if stored else b""
        assert len(content) == unpacked
        found.append(Block(at, KINDS[kind], first, last, content, at + 28 + stored))
        at += 28 + stored
    assert found[-1].kind == "end"
    assert at == len(data)
    return found


def frames(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The frames from the start."""
    for block in blocks(path):
        if block.kind in ("frames", "catalog"):
            yield from block.frames()


def frames_from(path: Path, key: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The frames from the nth key on: its state, and everything after it."""
    found = blocks(path)
    begins = [n for n, block in enumerate(found) if block.kind == "key" and found[n - 1].kind != "key"][key]
    for block in found[begins:]:
        if block.kind == "key" and block.first == found[begins].first:
            yield from block.frames()
    for block in found[begins:]:
        if block.kind in ("frames", "catalog"):
            yield from block.frames()


@dataclass
class Rows:
    """One map. rows: a list of values for each, in the order of `types`."""

    types: dict[str, str] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)

    def change(self, change: dict[str, Any]) -> None:
        for name, words in change.get("labels", {}).items():
            self.labels.setdefault(name, []).extend(words)
        for place in reversed(_places(change.get("gone"))):
            del self.rows[place]
        at = _places(change.get("at"))
        names = list(self.types)
        for name, column in change.get("gains", {}).items():
            for place, gain in zip(at, numbers(column), strict=True):
                row = self.rows[place]
                whole = self.types[name][1] in "iu"
                row[names.index(name)] = (row[names.index(name)] + gain) % self._room(name) if whole else gain
        born = change.get("born", {})
        if born:
            columns = [numbers(born[name]) for name in names]
            self.rows += [
                [
                    value % self._room(name) if self.types[name][1] in "iu" else value
                    for name, value in zip(names, row, strict=True)
                ]
                for row in zip(*columns, strict=True)
            ]

    def _room(self, name: str) -> int:
        return 1 << 8 * int(self.types[name][2:])

    def values(self) -> list[dict[str, Any]]:
        """A row as a dict, with texts for labels."""
        return [
            {
                name: self.labels[name][value] if name in self.labels else value
                for name, value in zip(self.types, row, strict=True)
            }
            for row in self.rows
        ]


class Maps:
    """The rows of all runs, updated by changes."""

    def __init__(self) -> None:
        self.runs: dict[int, dict[str, Rows]] = {}

    def take(self, frame: dict[str, Any]) -> dict[str, list[dict[str, Any]]] | None:
        """Rows by map after a `changes` frame; None for another frame."""
        if frame["kind"] != "changes":
            return None
        maps = self.runs.setdefault(frame["run"], {})
        if frame["key"]:
            maps.clear()
        for name, change in frame["rows"].items():
            if frame["key"]:
                maps[name] = Rows(change.get("types", {}))
            maps[name].change(change)
        return {name: rows.values() for name, rows in maps.items()}


def numbers(column: dict[str, Any]) -> list[Any]:
    dtype, data = column["dtype"], column["data"]
    if dtype[1] == "S":
        size = int(dtype[2:])
        return [data[at : at + size] for at in range(0, len(data), size)]
    return [each[0] for each in struct.iter_unpack("<" + _FORMATS[dtype], data)]


def _places(column: dict[str, Any] | None) -> list[int]:
    places, last = [], -1
    for distance in numbers(column) if column else []:
        last += distance
        places.append(last)
    return places
