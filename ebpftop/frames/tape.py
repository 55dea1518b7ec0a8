"""Writing frames to a file, and reading them.

A tape is `MAGIC`, the format version (u32), then blocks: a header `_BLOCK` (bytes stored, bytes unpacked, time of the
first and of the last record), then a zlib stream of records: `_RECORD` (time, length) and a frame as msgpack. Numbers
are little endian, times are monotonic nanoseconds since the first frame. A block is written at least every second, so
that a killed writer leaves a readable tape; a header of zeros marks a complete tape.

Of snapshots it holds the changes (`frames.changes`), and all rows at least once a minute. Format 1 held them whole.

A tape may come from anybody. What it unpacks to is bounded by its own size (`RATIO`), and what a frame decodes to by
the bytes that become objects (`PLAIN_LIMIT`); a writer keeps both.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

import msgspec

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import PROTOCOL, SOME, AnyFrame, Hello, Loaded, Notice, Snapshot, Written
from ebpftop.frames.privacy import without_arguments, without_paths
from ebpftop.frames.reading import Reading

if TYPE_CHECKING:
    from ebpftop.frames.changes import ChangeWriter

MAGIC = b"ebpftop tape"
VERSION = 2
KEY_SECONDS = 60.0
FRAME_LIMIT = 64 << 20  # bytes of one frame; a bound on what a hostile tape makes us unpack at once
PLAIN_LIMIT = 8 << 20  # bytes of a frame beside its columns' numbers: each may become some 30 bytes of objects
RATIO = 16  # bytes that each byte of the file unpacks to, on average; real tapes stay below 5
_FREE = 16 << 20  # bytes beyond that
_FORMAT = struct.Struct("<I")
_BLOCK = struct.Struct("<IIQQ")
_RECORD = struct.Struct("<QI")
_BLOCK_SIZE = 256 << 10  # unpacked bytes after which a block is written early
_BLOCK_LIMIT = _BLOCK_SIZE + _RECORD.size + FRAME_LIMIT
_SECOND = 1_000_000_000
_LEVEL = 6

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[Any], Written] = msgspec.msgpack.Decoder(Written).decode


class _Numbers(msgspec.Struct):
    data: memoryview = memoryview(b"")


class _RowSizes(msgspec.Struct):
    gains: Annotated[dict[str, _Numbers], SOME] = {}
    born: Annotated[dict[str, _Numbers], SOME] = {}


class _Sizes(msgspec.Struct):
    """What of a frame stays bytes when it is decoded."""

    columns: Annotated[dict[str, _Numbers], SOME] = {}
    maps: Annotated[dict[str, Annotated[dict[str, _Numbers], SOME]], SOME] = {}
    rows: Annotated[dict[str, _RowSizes], SOME] = {}


_sizes: Callable[[Any], _Sizes] = msgspec.msgpack.Decoder(_Sizes).decode


def _fits(body: bytes | memoryview) -> bool:
    """Whether a frame is within both limits. Raises `msgspec.DecodeError`."""
    if len(body) > FRAME_LIMIT:
        return False
    if len(body) <= PLAIN_LIMIT:
        return True
    sizes = _sizes(body)
    changes = (columns for each in sizes.rows.values() for columns in (each.gains, each.born))
    everything = (sizes.columns, *sizes.maps.values(), *changes)
    numbers = sum(len(each.data) for columns in everything for each in columns.values())
    return len(body) - numbers <= PLAIN_LIMIT


class BadTape(BadFrame):
    """The file is not a tape, or is incomplete; the text is one line."""


class TapeExists(Exception):
    """The output file exists; the text says in one line how to overwrite it."""


class TapeWriter:
    """Writes a tape that only its owner can read. Command lines are omitted unless `args`.

    Raises `TapeExists` if the file exists (with `force`, only if it isn't a regular file), and `OSError`, as do
    `write`, `flush` and `close`.
    """

    def __init__(
        self,
        path: Path,
        *,
        args: bool = False,
        force: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.path, self.args = path, args
        self.size = 0  # bytes written
        self._clock = clock
        self._changes: ChangeWriter | None = None  # with the first load, as it takes NumPy
        self._start: int | None = None
        self._records: list[bytes] = []
        self._unpacked = self._unpacked_before = 0
        self._first = self._last = 0
        self._fd = _create(path, force)
        self._put(MAGIC + _FORMAT.pack(VERSION))

    def write(self, frame: AnyFrame) -> None:
        """Add a frame with the current time. A frame too large to be read back is replaced with a notice."""
        now = self._clock()
        self._start = now if self._start is None else self._start
        passed = max(now - self._start, self._last)
        if self._records and passed - self._first >= _SECOND:
            self.flush()
        kept = without_paths(frame)
        body = _encode(self._written(kept if self.args else without_arguments(kept)))
        if not _fits(body):
            if self._changes is not None and isinstance(frame, Snapshot):
                self._changes.forget(frame.run)
            kind = type(frame).__name__.lower()
            body = _encode(Notice(level="warning", text=f"this tape omits a {kind} frame of {len(body):,} bytes"))
        if not self._records:
            self._first = passed
        self._last = passed
        record = _RECORD.pack(passed, len(body)) + body
        self._records.append(record)
        self._unpacked += len(record)
        if self._unpacked >= _BLOCK_SIZE:
            self.flush()

    def _written(self, frame: AnyFrame) -> Written:
        if self._changes is None and isinstance(frame, Loaded | Snapshot):
            from ebpftop.frames.changes import ChangeWriter

            self._changes = ChangeWriter(KEY_SECONDS)
        return frame if self._changes is None else self._changes.written(frame)

    def flush(self) -> None:
        """Write the pending frames; call it every second if frames are rare."""
        if self._records:
            self._unpacked_before += self._unpacked
            packed = zlib.compress(b"".join(self._records), _LEVEL)
            if self._unpacked_before > _room(self.size + len(packed)):
                packed = zlib.compress(b"".join(self._records), 0)
            header = _BLOCK.pack(len(packed), self._unpacked, self._first, self._last)
            self._records.clear()
            self._unpacked = 0
            self._put(header + packed)

    @property
    def seconds(self) -> float:
        """The tape's current duration."""
        return self._last / 1e9

    def close(self) -> None:
        """Write the pending frames and the end mark. Closing twice does nothing."""
        if self._fd < 0:
            return
        try:
            self.flush()
            self._put(bytes(_BLOCK.size))
        finally:
            os.close(self._fd)
            self._fd = -1

    def _put(self, data: bytes) -> None:
        """Write all of it or nothing, so that a full disk leaves only complete blocks."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _room(size: int) -> int:
    """Bytes that a tape of this size may unpack to."""
    return _FREE + RATIO * size


def _create(path: Path, force: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | (0 if force else os.O_EXCL), 0o600)
    except FileExistsError:
        raise TapeExists(f"{ascii(str(path))[1:-1]} exists; --force overwrites it") from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise TapeExists(f"{ascii(str(path))[1:-1]} is a symbolic link, which is not followed") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise TapeExists(f"{ascii(str(path))[1:-1]} is not a regular file")
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


class _Block(NamedTuple):
    offset: int  # of the zlib stream
    stored: int
    unpacked: int
    first: int
    last: int
    whole: bool


class TapeReader:
    """Reads a tape block by block. `problem` says in one line why the tape is incomplete, as far as its headers show.

    Opening raises `BadTape` if nothing can be read, and `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self.name = ascii(str(path))[1:-1]
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise self._bad("is not a regular file")
            self._size = status.st_size
            self._check_format()
            self._blocks, self.problem = self._outline()
            if not self._blocks:
                raise self._bad(self.problem or "contains no frames")
            self._check_hello()
        except BaseException:
            self.close()
            raise

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        last = self._blocks[-1]
        return (last.last if last.whole else last.first) / 1e9

    def __iter__(self) -> Iterator[tuple[int, AnyFrame]]:
        """Yield (nanoseconds since the first frame, frame). Raises `BadTape` after the last readable frame."""
        reading = Reading()
        for at, body in self._bodies():
            try:
                if not _fits(body):
                    raise self._bad(f"holds too large a frame after {at / 1e9:.1f} s")
                frame = reading.read(_decode(body))
            except BadTape:
                raise
            except BadFrame as error:
                raise self._bad(f"is damaged after {at / 1e9:.1f} s: {error}") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._bad(f"is damaged after {at / 1e9:.1f} s: {error}") from None
            except MemoryError:
                raise self._bad(f"takes more memory than there is after {at / 1e9:.1f} s") from None
            yield at, frame
        if self.problem:
            raise BadTape(f"{self.name} {self.problem}")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _bad(self, what: str) -> BadTape:
        return BadTape(f"{self.name} {what}")

    def _check_format(self) -> None:
        head = os.pread(self._fd, len(MAGIC) + _FORMAT.size, 0)
        if not head:
            raise self._bad("is empty")
        if not head.startswith(MAGIC[: len(head)]):
            raise self._bad("is not an ebpftop tape")
        if len(head) < len(MAGIC) + _FORMAT.size:
            raise self._bad("is truncated in its header")
        (version,) = _FORMAT.unpack_from(head, len(MAGIC))
        if version > VERSION:
            raise self._bad(f"was written by a newer ebpftop (tape format {version}; this one reads {VERSION})")
        if version < 1:
            raise self._bad(f"has the invalid tape format {version}")

    def _check_hello(self) -> None:
        _, frame = next(iter(self), (0, None))
        if frame is None:
            raise self._bad("contains no frames")
        if not isinstance(frame, Hello):
            raise self._bad("does not begin with a Hello frame")
        if frame.protocol > PROTOCOL:
            raise self._bad(f"was written by a newer ebpftop (protocol {frame.protocol}; this one reads {PROTOCOL})")

    def _outline(self) -> tuple[list[_Block], str]:
        """The blocks, and what is wrong after the last one, else ""."""
        blocks: list[_Block] = []
        at, last = len(MAGIC) + _FORMAT.size, 0
        room = _room(self._size)
        while True:
            header = os.pread(self._fd, _BLOCK.size, at)
            if len(header) < _BLOCK.size:
                return blocks, f"is truncated after {last / 1e9:.1f} s"
            at += _BLOCK.size
            stored, unpacked, first, end = _BLOCK.unpack(header)
            if not any(header):
                return blocks, "" if at == self._size else f"has extra data after its end at {last / 1e9:.1f} s"
            if not stored or not 0 < unpacked <= _BLOCK_LIMIT or not last <= first <= end:
                return blocks, f"is damaged after {last / 1e9:.1f} s"
            room -= unpacked
            if room < 0:
                return blocks, f"unpacks to more than a tape of its size holds, after {last / 1e9:.1f} s"
            whole = at + stored <= self._size
            blocks.append(_Block(at, stored, unpacked, first, end, whole))
            if not whole:
                return blocks, f"is truncated after {first / 1e9:.1f} s"
            at, last = at + stored, end

    def _bodies(self) -> Iterator[tuple[int, memoryview]]:
        last = 0
        for block in self._blocks:
            data = memoryview(self._unpack(block))
            at = 0
            while len(data) - at >= _RECORD.size:
                passed, length = _RECORD.unpack_from(data, at)
                if not last <= passed <= block.last or at + _RECORD.size + length > block.unpacked:
                    raise self._bad(f"is damaged after {last / 1e9:.1f} s")
                if len(data) - at - _RECORD.size < length:
                    break
                at += _RECORD.size + length
                yield passed, data[at - length : at]
                last = passed
            if block.whole and at != block.unpacked:
                raise self._bad(f"is damaged after {last / 1e9:.1f} s")

    def _unpack(self, block: _Block) -> bytes:
        """A block's content, as much as the file has, never more than the header says."""
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(os.pread(self._fd, block.stored, block.offset), block.unpacked)
            if block.whole and (len(data) != block.unpacked or stream.decompress(stream.unconsumed_tail, 1)):
                raise zlib.error("wrong length")
            if block.whole and not stream.eof:
                raise zlib.error("no end")
        except zlib.error:
            raise self._bad(f"is damaged after {block.first / 1e9:.1f} s") from None
        except MemoryError:
            raise self._bad(f"takes more memory than there is after {block.first / 1e9:.1f} s") from None
        return data
