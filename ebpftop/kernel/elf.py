"""Reads the functions in an ELF file by address, from its symbol tables: elf(5).

The file is untrusted: it is read in pieces, each of which is limited and checked, and the total is limited by the size
of the file. Only 64-bit little-endian files are supported.
"""

from __future__ import annotations

import lzma
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
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
_VARIABLES = {1}  # STT_OBJECT
_LONGEST = 1 << 16  # bytes of a name; C++ names can be very long
_HIGHEST = 1 << 48  # limit for addresses in a file
_END = 1 << 62  # limit for offsets in a file
_LARGEST = 256 << 20  # bytes of one table, and of all names together
_TIMES = 8  # limit on how often a file's bytes are read; otherwise overlapping tables would be read without end
_KEPT = 64 << 20  # bytes of cached tables
_OFTEN = 1 << 16  # places at which one name is searched
_ALIKE = 64  # functions with the same start
_DICTIONARY = 128 << 20  # bytes that decompression takes; xz's largest preset takes 65 MiB
_BUILD_ID = b".note.gnu.build-id"  # a note of owner GNU and kind NT_GNU_BUILD_ID
_NOTE = struct.Struct("<III")
_CRC = struct.Struct("<I")
_LONGEST_BUILD_ID = 20  # bytes
_COMPRESSED, _ZLIB = 0x800, 1  # SHF_COMPRESSED, ELFCOMPRESS_ZLIB
_COMPRESSION = struct.Struct("<IIQQ")
_LARGEST_UNPACKED = 64 << 20  # bytes
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
    flags: int
    address: int
    offset: int
    size: int
    link: int


class Elf:
    """Segments and functions of one file, of `size` bytes. Raises `BadElf`, `OSError`."""

    def __init__(self, read: Read, size: int = _LARGEST) -> None:
        self._read = read
        self._room = _TIMES * min(size, _LARGEST)
        header = read(_HEADER.size, 0)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise BadElf("not a 64-bit little-endian ELF file")
        fields = _HEADER.unpack(header)
        self.machine: int = fields[2]  # EM_X86_64 is 62, EM_AARCH64 183
        self.entry: int = fields[4]  # the address at which a program starts
        segments_at, sections_at = fields[5], fields[6]
        segment_size, segments, section_size, sections, names_at = fields[9:14]
        if (segments and segment_size != _SEGMENT.size) or (sections and section_size != _SECTION.size):
            raise BadElf("unknown table entry size")
        self.linked = segments > 0  # object files for the linker can't be run
        self._segments: list[tuple[int, int, int]] = [
            (offset, address, size)
            for kind, _, offset, address, _, size, _, _ in _SEGMENT.iter_unpack(
                self._table(segments_at, segments * _SEGMENT.size, _SEGMENT.size)
            )
            if kind == _LOAD and address + size <= _HIGHEST and offset + size <= _END
        ]
        self._sections = [
            _Section(name, kind, flags, address, offset, size, link)
            for name, kind, flags, address, offset, size, link, _, _, _ in _SECTION.iter_unpack(
                self._table(sections_at, sections * _SECTION.size, _SECTION.size)
            )
        ]
        self._names_at = names_at
        self._functions: list[Function] | None = None
        self._tables: dict[tuple[int, ...], list[tuple[bytes, bytes]]] = {}  # of symbols, by kinds

    @classmethod
    def of(cls, fd: int) -> Elf:
        """Read an open file."""
        size = os.fstat(fd).st_size
        return cls(lambda length, at: os.pread(fd, min(length, size - at), at) if at < size else b"", size)

    def address(self, offset: int) -> int | None:
        """The link-time address of the byte at this file offset."""
        for at, address, size in self._segments:
            if at <= offset < at + size:
                return address + offset - at
        return None

    def mapped(self, offset: int, length: int) -> int | None:
        """The link-time address of the first byte of a mapping, which begins and ends at page boundaries. The segment
        that fills most of the mapping determines it.
        """
        end = offset + length
        common = [(min(at + size, end) - max(at, offset), address - at) for at, address, size in self._segments]
        most, distance = max(common, default=(0, 0))
        return offset + distance if most > 0 else None

    def offset(self, address: int) -> int | None:
        """The file offset of the byte at this link-time address."""
        for at, start, size in self._segments:
            if start <= address < start + size:
                return address - start + at
        return None

    @property
    def stripped(self) -> bool:
        """Whether the file lacks the names of its own functions."""
        return not any(section.kind == _SYMTAB for section in self._sections)

    def place(self, name: bytes) -> tuple[int | None, bool]:
        """`places` for one function: where it begins, if it exists, and whether the linker chooses an
        implementation.
        """
        found: int | None = None
        chosen = False
        for kind, address, _, versioned in self._symbols(_SYMTAB, _DYNSYM, only=name):
            if versioned.partition(b"@")[0] == name:
                if kind == _INDIRECT:
                    chosen = True
                elif found is None:
                    found = self.offset(address)
        return found, chosen

    def variable(self, name: bytes) -> int | None:
        """The address of a variable."""
        found = self._symbols(_SYMTAB, _DYNSYM, only=name, types=_VARIABLES)
        return next((address for _, address, _, each in found if each.partition(b"@")[0] == name), None)

    def bytes_at(self, address: int, length: int) -> bytes:
        """The file's bytes at an address; fewer at the end of the file's data."""
        offset = self.offset(address)
        return b"" if offset is None else self._table(offset, length, 1)

    def places(self) -> tuple[dict[bytes, int], set[bytes]]:
        """Where in the file each function begins, by name without its version; and the names of functions whose
        implementation the dynamic linker chooses. The symbols of the latter are the resolver functions.
        """
        found: dict[bytes, int] = {}
        chosen: set[bytes] = set()
        for kind, address, _, versioned in self._symbols(_SYMTAB, _DYNSYM):
            name = versioned.partition(b"@")[0]
            if kind == _INDIRECT:
                chosen.add(name)
            elif name and (place := self.offset(address)) is not None:
                found.setdefault(name, place)
        return found, chosen

    def build_id(self) -> bytes:
        """The build ID; empty if there is none, or if it is longer than the kernel accepts."""
        note = self.section(_BUILD_ID)
        if note is None or len(note[1]) < _NOTE.size:
            return b""
        owner, size, kind = _NOTE.unpack_from(note[1])
        start = _NOTE.size + 4
        if (owner, kind) != (4, 3) or size > _LONGEST_BUILD_ID or note[1][_NOTE.size : start] != b"GNU\0":
            return b""
        return note[1][start : start + size]

    def debug_link(self) -> tuple[str, int] | None:
        """(name, CRC-32) of the file that holds this one's debugging information."""
        link = self.section(b".gnu_debuglink")
        if link is None or len(link[1]) < _CRC.size:
            return None
        name = os.fsdecode(link[1].partition(b"\0")[0])
        return None if not name or "/" in name else (name, _CRC.unpack(link[1][-_CRC.size :])[0])

    def section(self, name: bytes) -> tuple[int, bytes] | None:
        """Address and decompressed content of the first section with this name."""
        found = self._section(name)
        if found is None:
            return None
        content = b"" if found.kind == _NOBITS else self._table(found.offset, found.size, 1)
        return found.address, _unpacked(content) if found.flags & _COMPRESSED else content

    def begin(self, name: bytes) -> int | None:
        """The address of the first section with this name."""
        found = self._section(name)
        return found.address if found is not None else None

    def _section(self, name: bytes) -> _Section | None:
        if not self._names_at < len(self._sections):
            return None
        names = self._table(self._sections[self._names_at].offset, self._sections[self._names_at].size, 1)
        wanted = name + b"\0"
        return next((each for each in self._sections if names.startswith(wanted, each.name)), None)

    def function(self, address: int) -> Function | None:
        """The function at a link-time address. Functions are read lazily, so this raises what the class raises."""
        if self._functions is None:
            self._functions = sorted(self._all_functions())
            self._starts = [each.start for each in self._functions]
        after = bisect_right(self._starts, address)
        if not after:
            return None
        start = self._starts[after - 1]
        first = after - 1
        while first and self._starts[first - 1] == start and after - first < _ALIKE:
            first -= 1
        following = self._starts[after] if after < len(self._starts) else start + 1
        same = [each if each.end > start else each._replace(end=following) for each in self._functions[first:after]]
        holding = [each for each in same if address < each.end]
        return min(holding, key=lambda each: (_underscores(each.name), len(each.name), each.name), default=None)

    def _all_functions(self) -> set[Function]:
        found = self._functions_of(_SYMTAB, _DYNSYM)
        if not any(section.kind == _SYMTAB for section in self._sections):
            found |= self._miniature()
        return found

    def _functions_of(self, *kinds: int) -> set[Function]:
        return {Function(start, start + size, name) for _, start, size, name in self._symbols(*kinds)}

    def _symbols(
        self, *kinds: int, only: bytes = b"", types: Collection[int] = _FUNCTIONS
    ) -> Iterator[tuple[int, int, int, bytes]]:
        """(type, address, size, name) of the symbols that tables of these kinds define. only: the symbols with this
        name, with or without a version; all others may be left out, which is faster. Raises `BadElf` if names overlap
        so much that together they would fill the memory.
        """
        room = _LARGEST
        for names, symbols in self._symbol_tables(kinds):
            wanted = _occurrences(only, names) if only else None
            for name, info, _, index, value, size in _SYMBOL.iter_unpack(symbols):
                if wanted is not None and name not in wanted:
                    continue
                if info & 15 in types and index and value and value + size <= _HIGHEST:
                    end = names.find(b"\0", name, name + _LONGEST)
                    if end >= 0:
                        room -= end - name + _SYMBOL.size
                        if room < 0:
                            raise BadElf("its functions' names are too many")
                        yield info & 15, value, size, names[name:end]

    def _symbol_tables(self, kinds: tuple[int, ...]) -> Iterable[tuple[bytes, bytes]]:
        """Names and symbols of the tables of these kinds. Small tables are cached, because functions are looked up one
        by one.
        """
        if kinds in self._tables:
            return self._tables[kinds]
        found = [each for each in self._sections if each.kind in kinds and each.link < len(self._sections)]
        pairs = [(self._sections[each.link], each) for each in found]
        read = ((self._table(n.offset, n.size, 1), self._table(s.offset, s.size, _SYMBOL.size)) for n, s in pairs)
        if sum(n.size + s.size for n, s in pairs) > _KEPT:
            return read
        return self._tables.setdefault(kinds, list(read))

    def _miniature(self) -> set[Function]:
        found = self.section(_MINIATURE)
        if found is None:
            return set()
        try:
            data = lzma.LZMADecompressor(memlimit=_DICTIONARY).decompress(found[1], _LARGEST)
            return Elf(partial(_slice, data), len(data))._functions_of(_SYMTAB)
        except (lzma.LZMAError, EOFError, BadElf):
            return set()

    def _table(self, offset: int, size: int, each: int) -> bytes:
        """Up to `size` bytes, as many as the file has, in whole records."""
        if size > _LARGEST:
            raise BadElf("a table is too large")
        data = self._read(size, offset) if size else b""
        self._room -= len(data)
        if self._room < 0:
            raise BadElf("its tables overlap")
        return data[: len(data) - len(data) % each]


def _unpacked(content: bytes) -> bytes:
    """The decompressed content of a section. Raises `BadElf`, also for an unknown compression format."""
    if len(content) < _COMPRESSION.size:
        raise BadElf("a compressed section is cut")
    kind, _, size, _ = _COMPRESSION.unpack_from(content)
    if kind != _ZLIB or size > _LARGEST_UNPACKED:
        raise BadElf("a section is compressed in an unknown way" if kind != _ZLIB else "a section is too large")
    try:
        return zlib.decompressobj().decompress(content[_COMPRESSION.size :], max(1, size))
    except zlib.error:
        raise BadElf("a compressed section is damaged") from None


def _occurrences(name: bytes, names: bytes) -> set[int] | None:
    """The offsets of a name in a table, also as the end of another name: names share their ends. None if there are too
    many.
    """
    found: set[int] = set()
    for end in (b"\0", b"@"):
        at = names.find(name + end)
        while at >= 0:
            found.add(at)
            if len(found) > _OFTEN:
                return None
            at = names.find(name + end, at + 1)
    return found


def _slice(data: bytes, length: int, offset: int) -> bytes:
    return data[offset : offset + length]


def _underscores(name: bytes) -> int:
    return len(name) - len(name.lstrip(b"_"))
