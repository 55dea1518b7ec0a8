"""Reads the functions of a Go program and their lines from the table that its runtime uses to walk stacks, even in a
stripped program.

It supports Go 1.16 and newer; the layout is that of `internal/abi` and `runtime/symtab.go`. The table is untrusted:
only positions inside the section are accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ebpftop.kernel.elf import BadElf, Elf, Function
from ebpftop.kernel.source_lines import NONE, SourceLines, cut, numbered

_SECTIONS = (b".gopclntab", b".data.rel.ro.gopclntab")
_HEADER = struct.Struct("<IHBB")
_GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_WORD = 8
_MOST_FUNCTIONS = 1 << 22
_MOST_STEPS = 1 << 16  # of one function's table
_LONGEST = 4096  # bytes of a name
_ENTRY = b"_rt0_"  # prefix of the entry point's name in programs linked by Go alone
_RELOCATION = struct.Struct("<QQq")
_RELATIVE = 8  # R_X86_64_RELATIVE


class _Layout(NamedTuple):
    """Offsets in the section. wide: whether entries of functions are addresses rather than distances."""

    functions: int
    names: int
    units: int
    files: int
    values: int
    table: int
    wide: bool


class GoTable:
    """The function table of a Go program. Raises `BadElf`."""

    def __init__(self, data: bytes, text: int) -> None:
        """data: the section. text: where Go's code begins, because the table may lack that."""
        self._data = data
        if len(data) < _HEADER.size:
            raise BadElf("its table of Go's functions is cut")
        magic, _, self._quantum, word = _HEADER.unpack_from(data)
        if magic not in (_GO_1_16, _GO_1_18, _GO_1_20) or word != _WORD or self._quantum not in (1, 2, 4):
            raise BadElf("its table of Go's functions has another version")
        wide = magic == _GO_1_16
        words = struct.unpack_from(f"<{7 if wide else 8}Q", data.ljust(80, b"\0"), _HEADER.size)
        self._text = 0 if wide else text
        places = words[2:] if wide else words[3:]
        if max(places) > len(data) or words[0] > _MOST_FUNCTIONS:
            raise BadElf("its table of Go's functions is damaged")
        self._layout = _Layout(places[4], places[0], places[1], places[2], places[3], places[4], wide)
        self._count = words[0]
        pair = "<QQ" if wide else "<II"
        size = struct.calcsize(pair) * self._count
        table = data[self._layout.table : self._layout.table + size]
        if len(table) < size:
            raise BadElf("its table of Go's functions is cut")
        self._pair = struct.Struct(pair)

    @classmethod
    def of(cls, elf: Elf) -> GoTable | None:
        """The table of a file; None if it is no Go program. Raises `BadElf`, `OSError`."""
        found = next((found for name in _SECTIONS if (found := elf.section(name)) is not None), None)
        if found is None or not found[1]:
            return None
        at, data = found
        text = int.from_bytes(data[24:32], "little") or _relocated(elf, at + 24)
        if text or data[:4] == struct.pack("<I", _GO_1_16):
            return cls(data, text)
        code = elf.section(b".text")
        guessed = cls(data, code[0] if code else 0)
        first = guessed.function(elf.entry)
        if first is None or first.start != elf.entry or not first.name.startswith(_ENTRY):
            raise BadElf("its table of Go's functions doesn't say where they are")
        return guessed

    def function(self, address: int) -> Function | None:
        at = self._find(address)
        if at is None:
            return None
        start, place = self._entry(at)
        end, _ = self._entry(at + 1)
        name = self._string(self._layout.names, self._number(place, 1, signed=True))
        return Function(start, end, name) if name and start <= address < end else None

    def lines(self, start: int, end: int) -> SourceLines:
        """The lines of the function that begins at `start`."""
        at = self._find(start)
        if at is None:
            return NONE
        entry, place = self._entry(at)
        unit = self._number(place, 8)
        files = list(self._values(entry, self._number(place, 5)))
        lines = list(self._values(entry, self._number(place, 6)))
        rows: list[tuple[int, int, int]] = []
        by_address: dict[int, list[int | None]] = {}
        for address, value in files:
            by_address.setdefault(address, [None, None])[0] = value
        for address, value in lines:
            by_address.setdefault(address, [None, None])[1] = value
        file = line = 0
        for address in sorted(by_address):
            new_file, new_line = by_address[address]
            file = file if new_file is None else new_file
            line = line if new_line is None else max(0, new_line)
            rows.append((address, file, line))
        found = cut(rows, start, end)
        return numbered(found, {file: self._file(unit, file) for _, file, _ in found})

    def _find(self, address: int) -> int | None:
        """The index of the last function that begins at or before the address."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[0] <= address:
                low = middle + 1
            else:
                high = middle
        return low - 1 if low else None

    def _entry(self, at: int) -> tuple[int, int]:
        """(address, offset in the section of the function's details); after the last function, the end of the code."""
        place = self._layout.table + at * self._pair.size
        if at >= self._count:
            data = self._data[place : place + self._pair.size // 2]
            return self._text + int.from_bytes(data, "little"), 0
        start, more = self._pair.unpack_from(self._data, place)
        return self._text + int(start), self._layout.functions + int(more)

    def _number(self, place: int, field: int, *, signed: bool = False) -> int:
        """A field of four bytes behind the entry."""
        at = place + (8 if self._layout.wide else 4) + (field - 1) * 4
        return int.from_bytes(self._data[at : at + 4], "little", signed=signed)

    def _string(self, base: int, offset: int) -> bytes:
        if offset < 0:
            return b""
        end = self._data.find(b"\0", base + offset, base + offset + _LONGEST)
        return self._data[base + offset : end] if end >= 0 else b""

    def _file(self, unit: int, number: int) -> str:
        at = self._layout.units + (unit + number) * 4
        data = self._data[at : at + 4] if number >= 0 else b""
        offset = int.from_bytes(data, "little") if len(data) == 4 else 0xFFFFFFFF
        if offset == 0xFFFFFFFF:
            return ""
        return self._string(self._layout.files, offset).decode("utf-8", "backslashreplace")

    def _values(self, entry: int, offset: int) -> Iterator[tuple[int, int]]:
        """(first address for which it holds, value), decoded from pairs of differences."""
        at, address, value = self._layout.values + offset, entry, -1
        if not offset:
            return
        for step in range(_MOST_STEPS):
            change, at = self._varint(at)
            if at < 0 or (not change and step):
                return
            distance, at = self._varint(at)
            if at < 0:
                return
            value += -(change >> 1) - 1 if change & 1 else change >> 1
            yield address, value
            address += distance * self._quantum

    def _varint(self, at: int) -> tuple[int, int]:
        """(number, where the next item begins); a negative position means past the end."""
        value = shift = 0
        while at < len(self._data) and shift < 35:
            byte = self._data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7
        return 0, -1


def _relocated(elf: Elf, address: int) -> int:
    """The value that the dynamic linker writes there, before relocation."""
    found = elf.section(b".rela.dyn") or elf.section(b".rela")
    if found is None:
        return 0
    whole = found[1][: len(found[1]) - len(found[1]) % _RELOCATION.size]
    found_at = (addend for at, kind, addend in _RELOCATION.iter_unpack(whole) if (at, kind) == (address, _RELATIVE))
    return max(0, int(next(found_at, 0)))
