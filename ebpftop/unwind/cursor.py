"""Reads numbers from untrusted bytes in DWARF's encodings; see the System V ABI and the LSB, "Exception Frames"."""

from __future__ import annotations

Bytes = bytes | memoryview

_LONGEST_NUMBER = 10  # bytes of a 64-bit LEB128
_LONGEST_BLOCK = 256  # bytes of an expression: the longest known ones have a dozen
WORD = (1 << 64) - 1

_SIZES = {0: (8, False), 2: (2, False), 3: (4, False), 4: (8, False), 10: (2, True), 11: (4, True), 12: (8, True)}
_ABSOLUTE, _RELATIVE = 0x00, 0x10  # relative to nothing, to the place of the number itself


class BadTables(Exception):
    """These aren't tables that we can read; the text says why."""


class Cursor:
    """Reads `data` from `at` up to `end`. All methods raise `BadTables` at the end."""

    __slots__ = ("_data", "_end", "at")

    def __init__(self, data: Bytes, at: int, end: int) -> None:
        if not 0 <= at <= end <= len(data):
            raise BadTables("a record is outside of its section")
        self._data, self.at, self._end = data, at, end

    @property
    def left(self) -> int:
        """The number of unread bytes."""
        return self._end - self.at

    def skip(self, count: int) -> int:
        """Skip bytes; returns where they begin."""
        at = self.at
        if count > self._end - at:
            raise BadTables("a record ends early")
        self.at += count
        return at

    def byte(self) -> int:
        return self._data[self.skip(1)]

    def integer(self, size: int, *, signed: bool = False) -> int:
        at = self.skip(size)
        return int.from_bytes(self._data[at : at + size], "little", signed=signed)

    def unsigned(self) -> int:
        """A ULEB128."""
        return self._leb()[0] & WORD

    def signed(self) -> int:
        """A SLEB128."""
        value, bits = self._leb()
        return value - (1 << bits) if value >> bits - 1 else value

    def _leb(self) -> tuple[int, int]:
        """The value, and the number of encoded bits."""
        value = 0
        for bits in range(0, 7 * _LONGEST_NUMBER, 7):
            byte = self.byte()
            value |= (byte & 127) << bits
            if byte < 128:
                return value, bits + 7
        raise BadTables("a number is too long")

    def block(self) -> bytes:
        """Bytes preceded by their length."""
        size = self.unsigned()
        if size > _LONGEST_BLOCK:
            raise BadTables("an expression is too long")
        at = self.skip(size)
        return bytes(self._data[at : at + size])

    def text(self, longest: int) -> bytes:
        """Bytes up to a zero, which is left out."""
        found = bytearray()
        while byte := self.byte():
            found.append(byte)
            if len(found) > longest:
                raise BadTables("a text is too long")
        return bytes(found)

    def pointer(self, encoding: int, address: int) -> int:
        """An address in the given encoding. address: that of the first byte of `data`."""
        place, kind = address + self.at, encoding & 0x70
        if encoding & 0x0F not in _SIZES or kind not in (_ABSOLUTE, _RELATIVE) or encoding & 0x80:
            raise BadTables(f"unknown encoding of addresses: {encoding:#x}")
        size, signed = _SIZES[encoding & 0x0F]
        value = self.integer(size, signed=signed)
        return (value + (place if kind == _RELATIVE else 0)) & WORD
