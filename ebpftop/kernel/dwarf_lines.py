"""Reads the source lines of functions from `.debug_line` of DWARF 2 to 5.

Tables in other sections map addresses to units, but they are as large as all the rest, and not always present. Instead,
this module searches for the operations with which a unit's program sets its address, and runs only that unit's program.

All input is untrusted: steps are limited, and offsets are checked by reading.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from typing import NamedTuple

from ebpftop.kernel.elf import BadElf
from ebpftop.kernel.source_lines import NONE, SourceLines, cut, numbered

_SET_ADDRESS = re.compile(rb"\x00\x09\x02(?=.{8})", re.DOTALL)  # an extended operation of nine bytes
_MOST_PLACES, _MOST_UNITS, _MOST_STEPS = 1 << 20, 1 << 18, 4 << 20
_MOST_FILES = 1 << 16  # of one unit
_TRIED = 3  # units for one function: a match for these bytes may be something else
_LONGEST = 1024  # bytes of a path
_PATH, _DIRECTORY = 1, 2  # DW_LNCT_*
_STRING, _STRP, _LINE_STRP, _UDATA, _BLOCK = 0x08, 0x0E, 0x1F, 0x0F, 0x09  # DW_FORM_*
_FIXED = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}

Row = tuple[int, int, int]
Sequence = tuple[int, int, list[Row]]  # first address, the one after the last, rows in between


class _Files(NamedTuple):
    """Paths and directories of one unit, by number. first: its lowest file number."""

    directories: list[bytes]
    files: list[tuple[bytes, int]]
    first: int

    def path(self, number: int) -> str:
        at = number - self.first
        if not 0 <= at < len(self.files):
            return ""
        name, directory = self.files[at]
        at = directory - self.first
        below = self.directories[at] if 0 <= at < len(self.directories) and directory else b""
        path = name if name.startswith(b"/") or not below else below + b"/" + name
        return path[:_LONGEST].decode("utf-8", "backslashreplace")


class _Unit(NamedTuple):
    files: _Files
    sequences: list[Sequence]


class DebugLines:
    """The line sections of one file. Raises `BadElf`."""

    def __init__(self, lines: bytes, line_strings: bytes = b"", strings: bytes = b"") -> None:
        self._data, self._strings = lines, {_LINE_STRP: line_strings, _STRP: strings}
        self._units: dict[int, _Unit | None] = {}  # by their beginning
        self._steps = _MOST_STEPS
        self._begins = list(_beginnings(lines))
        places: list[tuple[int, int]] = []
        for match in _SET_ADDRESS.finditer(lines):
            places.append((int.from_bytes(lines[match.end() : match.end() + 8], "little"), match.start()))
            if len(places) > _MOST_PLACES:
                raise BadElf("its lines have too many parts")
        self._places = sorted(places)

    def of(self, start: int, end: int) -> SourceLines:
        """The lines of a function. Raises `BadElf`."""
        at = bisect_right(self._places, start, key=lambda place: place[0])
        tried: dict[int, None] = {}
        for _, place in reversed(self._places[max(0, at - 4 * _TRIED) : at]):
            before = bisect_right(self._begins, place) - 1
            if before >= 0:
                tried[self._begins[before]] = None
        for begin in list(tried)[:_TRIED]:
            unit = self._unit(begin)
            if unit is None:
                continue
            for first, last, rows in unit.sequences:
                if first <= start < last:
                    found = cut(rows, start, min(end, last))
                    return numbered(found, {file: unit.files.path(file) for _, file, _ in found})
        return NONE

    def _unit(self, begin: int) -> _Unit | None:
        if begin not in self._units:
            try:
                self._units[begin] = self._read(begin)
            except (IndexError, struct.error):  # the data ends too early
                self._units[begin] = None
        return self._units[begin]

    def _read(self, begin: int) -> _Unit | None:
        reader = _Reader(self._data, begin)
        length = reader.length()
        end = reader.at + length
        version = reader.number(2)
        if not 2 <= version <= 5 or (version == 5 and reader.number(2) != 8):  # sizes of an address, of a segment
            return None
        reader.end = min(end, len(self._data))
        program = reader.number(reader.width)
        program += reader.at
        least = reader.number(1)
        if version >= 4:
            reader.number(1)
        reader.number(1)
        base, width, first_special = struct.unpack_from("<bBB", self._data, reader.at)
        reader.at += 3
        if not width or not first_special:
            return None
        lengths = self._data[reader.at : reader.at + first_special - 1]
        reader.at += first_special - 1
        files = self._files_5(reader) if version == 5 else _files_4(reader)
        reader.at = program
        return _Unit(files, self._run(reader, least, base, width, lengths))

    def _files_5(self, reader: _Reader) -> _Files:
        directories = [name for name, _ in self._entries(reader)]
        return _Files(directories, self._entries(reader), 0)

    def _entries(self, reader: _Reader) -> list[tuple[bytes, int]]:
        """A list of (path, number of its directory)."""
        kinds = [(reader.unsigned(), reader.unsigned()) for _ in range(reader.number(1))]
        count = reader.unsigned()
        if count > _MOST_FILES or (count and not kinds):
            raise IndexError
        found = []
        for _ in range(count):
            path, directory = b"", 0
            for kind, form in kinds:
                value = self._value(reader, form)
                if kind == _PATH and isinstance(value, bytes):
                    path = value
                elif kind == _DIRECTORY and isinstance(value, int):
                    directory = value
            found.append((path, directory))
        return found

    def _value(self, reader: _Reader, form: int) -> bytes | int:
        if form == _STRING:
            return reader.string()
        if form in self._strings:
            return _string(self._strings[form], reader.number(reader.width))
        if form == _UDATA:
            return reader.unsigned()
        if form == _BLOCK:
            length = reader.unsigned()
            reader.at += length
            return 0
        if form not in _FIXED:
            raise IndexError
        return reader.number(_FIXED[form])

    def _run(self, reader: _Reader, least: int, base: int, width: int, lengths: bytes) -> list[Sequence]:
        """The sequences of rows that a unit's program produces: DWARF 5, 6.2.5."""
        data, end, special = self._data, reader.end, len(lengths) + 1
        sequences: list[Sequence] = []
        rows: list[Row] = []
        address, file, line = 0, 1, 1
        add = (255 - special) // width * least
        while reader.at < end:
            self._steps -= 1
            if self._steps < 0:
                raise BadElf("its lines take too long to read")
            operation = data[reader.at]
            reader.at += 1
            if operation >= special:
                address += (operation - special) // width * least
                line += base + (operation - special) % width
                rows.append((address, file, line))
            elif operation == 0:
                length = reader.unsigned()
                after = reader.at + length
                extended = data[reader.at] if length else 0
                if extended == 1:
                    if rows and rows[0][0] < address:
                        rows.sort(key=lambda row: row[0])
                        sequences.append((rows[0][0], address, rows))
                    rows, address, file, line = [], 0, 1, 1
                elif extended == 2 and length == 9:
                    reader.at += 1
                    address = reader.number(8)
                reader.at = after
            elif operation == 1:
                rows.append((address, file, line))
            elif operation == 2:
                address += reader.unsigned() * least
            elif operation == 3:
                line += reader.signed()
            elif operation == 4:
                file = reader.unsigned()
            elif operation == 8:
                address += add
            elif operation == 9:
                address += reader.number(2)
            else:
                for _ in range(lengths[operation - 1]):
                    reader.unsigned()
        return sequences


class _Reader:
    """Reads sequentially from a position. Raises `IndexError` at the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at, self.end, self.width = data, at, len(data), 4

    def number(self, size: int) -> int:
        self.at += size
        if self.at > self.end:
            raise IndexError
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def length(self) -> int:
        """The length of a unit. Reading it also determines the width of offsets."""
        found = self.number(4)
        if found == 0xFFFFFFFF:
            self.width = 8
            found = self.number(8)
        return found

    def unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise IndexError

    def signed(self) -> int:
        start = self.at
        value = self.unsigned()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def string(self) -> bytes:
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise IndexError
        found = self.data[self.at : end]
        self.at = end + 1
        return found


def _files_4(reader: _Reader) -> _Files:
    directories, files = [], []
    while name := reader.string():
        directories.append(name)
    while name := reader.string():
        files.append((name, reader.unsigned()))
        reader.unsigned()
        reader.unsigned()
    return _Files(directories, files, 1)


def _string(strings: bytes, at: int) -> bytes:
    end = strings.find(b"\0", at, at + _LONGEST)
    return strings[at:end] if end >= 0 else b""


def _beginnings(data: bytes) -> list[int]:
    """The beginnings of the units."""
    found: list[int] = []
    reader = _Reader(data, 0)
    while reader.at + 12 <= len(data):  # a unit is at least this long
        found.append(reader.at)
        length = reader.length()
        reader.at += length
        if len(found) > _MOST_UNITS:
            raise BadElf("its lines have too many units")
    return found
