"""Writes messages in Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding).

Two output formats need it, and only for writing: a few lines here replace a runtime and generated code that would run
as root.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_WRAP = (1 << 64) - 1


class Message:
    """A message under construction; fields are written in the order of the calls. Field numbers are those of the
    schema.
    """

    def __init__(self) -> None:
        self._parts = bytearray()

    def __bytes__(self) -> bytes:
        return bytes(self._parts)

    def whole(self, number: int, value: int) -> Message:
        """An int32, int64, uint32, uint64, bool or enum."""
        _varint(self._parts, number << 3 | _VARINT)
        _varint(self._parts, value & _WRAP)
        return self

    def real(self, number: int, value: float) -> Message:
        """A double."""
        _varint(self._parts, number << 3 | _FIXED64)
        self._parts += struct.pack("<d", value)
        return self

    def text(self, number: int, value: str) -> Message:
        """A string: characters that UTF-8 can't encode become escapes."""
        return self._bytes(number, value.encode("utf-8", "backslashreplace"))

    def message(self, number: int, value: Message) -> Message:
        """A nested message."""
        return self._bytes(number, value._parts)

    def packed(self, number: int, values: Iterable[int]) -> Message:
        """A packed repeated field of whole numbers."""
        parts = bytearray()
        for value in values:
            _varint(parts, value & _WRAP)
        return self._bytes(number, parts)

    def _bytes(self, number: int, value: bytes | bytearray) -> Message:
        _varint(self._parts, number << 3 | _BYTES)
        _varint(self._parts, len(value))
        self._parts += value
        return self


def _varint(parts: bytearray, value: int) -> None:
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
