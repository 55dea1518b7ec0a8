"""Functions in an ELF file by address, from its symbol tables: elf(5).

The file is untrusted: it is read in pieces, each bounded and checked. Only 64-bit little-endian files are supported.
"""

from __future__ import annotations

import lzma
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian
_LOAD, _SYMTAB, _NOBITS, _DYNSYM = 1, 2, 8, 11
_INDIRECT = 10  # STT_GNU_IFUNC
_FUNCTIONS = {2, _INDIRECT}  # and STT_FUNC
_LONGEST = 1 << 16  # bytes of a name; C++ names can be huge
_HIGHEST = 1 << 48  # upper bound of addresses in a file
_LARGEST = 256 << 20  # bytes of one table
_MINIATURE = b".gnu_debugdata"  # an xz-compressed ELF file with the functions that a stripped file lacks

Read = Callable[[int, int], bytes]  # (length, offset); may return less


class BadElf(Exception):
    """Not an ELF file that we can read."""


class Function(NamedTuple):
    """`start` <= address < `end`, as addresses in the file (not in a process)."""

    start: int
    end: int
    name: bytes


class _Section(NamedTuple):
    name: int
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Elf:
    """Segments and functions of one file. Raises `BadElf`, `OSError`."""

    def __init__(self, read: Read) -> None:
        self._read = read
        header = read(_HEADER.size, 0)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise BadElf("not a 64-bit little-endian ELF file")
        fields = _HEADER.unpack(header)
        self.machine: int = fields[2]  # EM_X86_64 is 62, EM_AARCH64 183
        segments_at, sections_at = fields[5], fields[6]
        segment_size, segments, section_size, sections, names_at = fields[9:14]
        if (segments and segment_size != _SEGMENT.size) or (sections and section_size != _SECTION.size):
            raise BadElf("unknown table entry size")
        self._segments: list[tuple[int, int, int]] = [
            (offset, address, size)
            for kind, _, offset, address, _, size, _, _ in _SEGMENT.iter_unpack(
                self._table(segments_at, segments * segment_size, segment_size)
            )
            if kind == _LOAD and address + size <= _HIGHEST
        ]
        self._sections = [
            _Section(name, kind, address, offset, size, link)
            for name, kind, _, address, offset, size, link, _, _, _ in _SECTION.iter_unpack(
                self._table(sections_at, sections * section_size, section_size)
            )
        ]
        self._names_at = names_at
        self._functions: list[Function] | None = None

    @classmethod
    def of(cls, fd: int) -> Elf:
        """Read an open file."""
        return cls(lambda length, offset: os.pread(fd, length, offset) if offset < 1 << 63 else b"")

    def address(self, offset: int) -> int | None:
        """The link-time address of the byte at this file offset."""
        for at, address, size in self._segments:
            if at <= offset < at + size:
                return address + offset - at
        return None

    def offset(self, address: int) -> int | None:
        """The file offset of the byte at this link-time address."""
        for at, start, size in self._segments:
            if start <= address < start + size:
                return address - start + at
        return None

    def places(self) -> tuple[dict[bytes, int], set[bytes]]:
        """File offsets of functions by name without version; names of indirect functions (STT_GNU_IFUNC), whose symbols
        are resolvers, not implementations. Raises `BadElf` if the names overlap so much that together they would fill
        the memory.
        """
        found: dict[bytes, int] = {}
        chosen: set[bytes] = set()
        room = _LARGEST
        for section in self._sections:
            if section.kind not in (_SYMTAB, _DYNSYM) or section.link >= len(self._sections):
                continue
            for kind, address, _, versioned in self._symbols(section):
                name = versioned.partition(b"@")[0]
                room -= len(name) + _SYMBOL.size
                if room < 0:
                    raise BadElf("too many function names")
                if kind == _INDIRECT:
                    chosen.add(name)
                elif name and (place := self.offset(address)) is not None:
                    found.setdefault(name, place)
        return found, chosen

    def section(self, name: bytes) -> tuple[int, bytes] | None:
        """Address and content of the first section with this name."""
        if not self._names_at < len(self._sections):
            return None
        names = self._table(self._sections[self._names_at].offset, self._sections[self._names_at].size, 1)
        for each in self._sections:
            if names[each.name : each.name + len(name) + 1] == name + b"\0":
                return each.address, b"" if each.kind == _NOBITS else self._table(each.offset, each.size, 1)
        return None

    def function(self, address: int) -> Function | None:
        """The function at a link-time address. Functions are read lazily here: raises what the class raises."""
        if self._functions is None:
            self._functions = sorted(self._all_functions())
            self._starts = [each.start for each in self._functions]
        after = bisect_right(self._starts, address)
        if not after:
            return None
        start = self._starts[after - 1]
        first = after - 1
        while first and self._starts[first - 1] == start:
            first -= 1
        following = self._starts[after] if after < len(self._starts) else start + 1
        same = [each if each.end > start else each._replace(end=following) for each in self._functions[first:after]]
        holding = [each for each in same if address < each.end]
        return min(holding, key=lambda each: (_underscores(each.name), len(each.name), each.name), default=None)

    def _all_functions(self) -> set[Function]:
        found: set[Function] = set()
        for section in self._sections:
            if section.kind in (_SYMTAB, _DYNSYM) and section.link < len(self._sections):
                found |= self._functions_of(section)
        if not any(section.kind == _SYMTAB for section in self._sections):
            found |= self._miniature()
        return found

    def _functions_of(self, section: _Section) -> set[Function]:
        return {Function(start, start + size, name) for _, start, size, name in self._symbols(section)}

    def _symbols(self, section: _Section) -> Iterator[tuple[int, int, int, bytes]]:
        """(kind, address, size, name) of the defined functions."""
        strings = self._sections[section.link]
        names = self._table(strings.offset, strings.size, 1)
        symbols = self._table(section.offset, section.size, _SYMBOL.size)
        for name, info, _, index, value, size in _SYMBOL.iter_unpack(symbols):
            if info & 15 in _FUNCTIONS and index and value and value + size <= _HIGHEST:
                end = names.find(b"\0", name, name + _LONGEST)
                if end >= 0:
                    yield info & 15, value, size, names[name:end]

    def _miniature(self) -> set[Function]:
        found = self.section(_MINIATURE)
        if found is None:
            return set()
        try:
            inner = Elf(partial(_slice, lzma.LZMADecompressor().decompress(found[1], _LARGEST)))
            return set().union(*map(inner._functions_of, inner._tables()))
        except (lzma.LZMAError, EOFError, BadElf):
            return set()

    def _tables(self) -> list[_Section]:
        return [each for each in self._sections if each.kind == _SYMTAB and each.link < len(self._sections)]

    def _table(self, offset: int, size: int, each: int) -> bytes:
        """Up to `size` bytes, as many as the file has, in whole records."""
        if size > _LARGEST:
            raise BadElf("a table is too large")
        data = self._read(size, offset) if size else b""
        return data[: len(data) - len(data) % each]


def _slice(data: bytes, length: int, offset: int) -> bytes:
    return data[offset : offset + length]


def _underscores(name: bytes) -> int:
    return len(name) - len(name.lstrip(b"_"))
