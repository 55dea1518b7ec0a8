"""The encoding of frames and requests: a 4-byte little-endian length, then msgpack.

`Decoder` accepts the stream in pieces of any size. It raises `BadFrame` for a message larger than `LIMIT`, or one that
doesn't decode.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from ebpftop.frames.messages import AnyRequest, Frame, Request, Written

LIMIT = 256 << 20
_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
T = TypeVar("T")

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what comes of bytes that are no such message


class BadFrame(Exception):
    """The bytes are not a valid message; the text says why."""


def encode(message: Frame | Request) -> bytes:
    """The encoded message, preceded by its length."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Decoder(Generic[T]):
    """Collects bytes and yields complete messages. limit: bytes of one message. accepts: whether an encoded message is
    decoded.
    """

    def __init__(
        self, kind: Any, *, limit: int = LIMIT, accepts: Callable[[memoryview], bool] = lambda body: True
    ) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._limit, self._accepts = limit, accepts
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[T]:
        """Yield each message that `data` completes. Raises `BadFrame`."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= 4:
                (length,) = _LENGTH.unpack_from(buffer, at)
                if length > self._limit:
                    raise BadFrame(f"a message of {length:,} bytes exceeds the limit of {self._limit:,}")
                if len(buffer) - at - 4 < length:
                    break
                with memoryview(buffer) as view, view[at + 4 : at + 4 + length] as body:
                    try:
                        if not self._accepts(body):
                            raise BadFrame(f"a message of {length:,} bytes would become too many objects")
                        message = self._decode(body)
                    except MALFORMED as error:
                        raise BadFrame(f"a message does not decode: {error}") from None
                    except MemoryError:
                        raise BadFrame(f"not enough memory for a message of {length:,} bytes") from None
                at += 4 + length
                yield message
        finally:
            del buffer[:at]

    @property
    def pending(self) -> int:
        """Number of bytes of an incomplete message."""
        return len(self._buffer)


@cache
def written() -> Callable[[bytes | memoryview], Written]:
    """Decodes one frame. Created when it is first needed, because that takes milliseconds."""
    return msgspec.msgpack.Decoder(Written).decode


def request_decoder() -> Decoder[AnyRequest]:
    return Decoder(AnyRequest)
