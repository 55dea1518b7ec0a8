"""Writing frames to a file, and reading them. The format is described in `frames.tape_format`."""

from __future__ import annotations

import errno
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from ebpftop.frames import tape_format as form
from ebpftop.frames.codec import MALFORMED, BadFrame, T, written
from ebpftop.frames.messages import (
    PROTOCOL,
    AnyFrame,
    Catalog,
    Events,
    Hello,
    Host,
    Loaded,
    Mark,
    Notice,
    Snapshot,
    Written,
)
from ebpftop.frames.privacy import without_arguments, without_paths
from ebpftop.frames.reading import Reading
from ebpftop.frames.tape_blocks import Blocks
from ebpftop.frames.tape_format import BLOCK, RECORD, BadTape, Index, Key
from ebpftop.frames.tape_key import State
from ebpftop.frames.tape_lock import lock

if TYPE_CHECKING:
    from ebpftop.frames.changes import ChangeWriter
    from ebpftop.frames.overview import Outline, Overview

_SECOND = 1_000_000_000
_LEVEL = 6

_encode = msgspec.msgpack.Encoder().encode


class TapeExists(Exception):
    """The output file exists; the text says in one line how to overwrite it."""


class TapeMoved(FileNotFoundError):
    """The complete tape is no longer at its path."""


def not_written(path: str, error: OSError) -> str:
    """One line: what became of a tape whose writer raised this."""
    return f"{path} {'was' if isinstance(error, TapeMoved) else 'is incomplete:'} {error.strerror}"


class TapeWriter:
    """Writes a tape that only its owner can read. Command lines are omitted unless `args`. fd: an open file to write to
    and close; then none is created.

    Raises `TapeExists` if the file exists (with `force`, only if it isn't a regular file, or another writer is writing
    it), and `OSError`, as do `write`, `flush` and `close`.
    """

    def __init__(
        self,
        path: Path,
        *,
        args: bool = False,
        force: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
        fd: int | None = None,
    ) -> None:
        self.path, self.args = path, args
        self.size = 0  # bytes written
        self._clock = clock
        self._changes: ChangeWriter | None = None  # with the first load, as both take NumPy
        self._overview: Overview | None = None
        self._state = State()
        self._start: int | None = None
        self._records: list[bytes] = []
        self._kind = form.FRAMES  # of what is pending
        self._unpacked = self._unpacked_before = self._headers = 0  # bytes; of the headers written, the CRC-32
        self._first = self._last = 0
        self._keys: list[Key] = []
        self._keyed = 0  # when the last key was written, which was so large, and ended here
        self._key_size = 0
        self._key_end = 0
        self._last_block = self._last_catalog = 0  # offsets
        self._realtime = self._monotonic = 0  # at the tape's start
        self._marks: list[Mark] = []
        self._created = fd is None
        self._fd = _create(path, force) if fd is None else fd
        try:
            self._put(form.MAGIC + form.FORMAT.pack(form.VERSION))
        except OSError:  # without that it is no tape
            os.close(self._fd)
            if self._created:
                path.unlink(missing_ok=True)
            raise

    def write(self, frame: AnyFrame, at: int | None = None) -> None:
        """Add a frame with the current time, or another time on the clock. A frame too large to be read back is
        replaced by a notice.
        """
        now = self._clock() if at is None else at
        self._start = now if self._start is None else self._start
        passed = max(now - self._start, self._last)
        if self._records and passed - self._first >= _SECOND:
            self.flush()
        if not self._records:
            self._write_key(passed)
        kept = without_paths(frame)
        kept = kept if self.args else without_arguments(kept)
        body = _encode(self._written(kept, passed))
        if not form.fits(body):
            if self._changes is not None and isinstance(kept, Snapshot):
                self._changes.forget(kept.run)
            kind = frame.__struct_config__.tag
            kept = Notice(level="warning", text=f"this tape omits a {kind} frame of {len(body):,} bytes")
            body = _encode(kept)
        self._state.add(kept)
        self._note(kept, passed)
        if not self._records:
            self._first = passed
        self._last = passed
        record = RECORD.pack(passed, len(body)) + body
        self._records.append(record)
        self._unpacked += len(record)
        if self._unpacked >= form.BLOCK_SIZE:
            self.flush()

    def _written(self, frame: AnyFrame, passed: int) -> Written:
        if self._changes is None and isinstance(frame, Loaded | Snapshot):
            from ebpftop.frames.changes import ChangeWriter
            from ebpftop.frames.overview import Overview

            self._overview = Overview()
            self._changes = ChangeWriter(keeps=True, changed=self._overview.moved)
        if self._changes is None or self._overview is None:
            return frame
        self._overview.now = passed
        if isinstance(frame, Snapshot):
            self._overview.comes(frame)
        return self._changes.written(frame)

    def _note(self, frame: AnyFrame, passed: int) -> None:
        """Record what the index needs from a frame."""
        match frame:
            case Catalog():
                self._kind = form.CATALOG
            case Mark():
                self._marks = [*self._marks, frame][-form.MARKS :]
            case Loaded() if self._overview is not None:
                self._overview.loaded(frame)
            case Events() if self._overview is not None:
                self._overview.events(frame)
        if not self._realtime and isinstance(frame, Snapshot | Host | Mark):
            self._realtime = max(0, frame.realtime_ns - passed)
        if not self._monotonic and isinstance(frame, Snapshot | Mark):
            self._monotonic = max(0, frame.monotonic_ns - passed)

    def _write_key(self, passed: int) -> None:
        """Write a key, if it is time."""
        if passed - self._keyed < form.KEY_SECONDS * 1e9 or self.size - self._key_end < self._key_size:
            return
        at = self.size
        records: list[bytes] = []
        unpacked = 0
        for frame in self._state.frames(self._changes):
            body = _encode(frame)
            if form.fits(body):
                records.append(RECORD.pack(self._last, len(body)) + body)
                unpacked += len(records[-1])
            if unpacked >= form.BLOCK_SIZE:
                self._put_block(form.KEY, b"".join(records), self._last, self._last)
                records, unpacked = [], 0
        if records:
            self._put_block(form.KEY, b"".join(records), self._last, self._last)
        self._keys.append(Key(at, self._last, self._last_catalog))
        self._keyed, self._key_size, self._key_end = passed, self.size - at, self.size

    def flush(self) -> None:
        """Write the pending frames; call it every second if frames are rare."""
        if self._records:
            kind, self._kind = self._kind, form.FRAMES
            data = b"".join(self._records)
            self._records.clear()
            self._unpacked = 0
            at = self.size
            self._put_block(kind, data, self._first, self._last)
            self._last_block = at
            if kind == form.CATALOG:
                self._last_catalog = at

    def _put_block(self, kind: int, data: bytes, first: int, last: int) -> None:
        self._unpacked_before += len(data)
        packed = zlib.compress(data, _LEVEL)
        if self._unpacked_before > form.room(self.size + len(packed)):
            packed = zlib.compress(data, 0)
        header = BLOCK.pack(len(packed), len(data), first, last, kind)
        self._put(header + packed)
        self._headers = zlib.crc32(header, self._headers)

    @property
    def seconds(self) -> float:
        """The tape's current duration."""
        return self._last / 1e9

    def close(self) -> None:
        """Write the pending frames, the index and the end; the end even if the disk is too full for the rest. Closing
        twice does nothing. Raises `TapeMoved` if the file is no longer at its path.
        """
        if self._fd < 0:
            return
        at = headers = 0
        try:
            try:
                self.flush()
                headers = self._headers
                if self._last_block:
                    index = self.size
                    self._put_block(form.INDEX, _encode(self._index()), self._last, self._last)
                    at = index
            finally:
                self._put(BLOCK.pack(0, 0, at, headers, form.END))
            if self._created and not _is_at(self._fd, self.path):
                raise TapeMoved(errno.ENOENT, "removed, renamed or replaced while it was recorded")
        finally:
            os.close(self._fd)
            self._fd = -1

    def _index(self) -> Index:
        return Index(
            last=self._last_block,
            keys=b"".join(form.KEYS.pack(*key) for key in self._keys),
            realtime_ns=self._realtime,
            monotonic_ns=self._monotonic,
            step_ns=self._overview.step_ns if self._overview else 0,
            lines=self._overview.lines() if self._overview else [],
            marks=self._marks,
        )

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


def _create(path: Path, force: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | (0 if force else os.O_EXCL), 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno == errno.EEXIST and path.is_symlink()):
            raise TapeExists(f"{ascii(str(path))[1:-1]} is a symbolic link, which is not followed") from None
        if error.errno == errno.EEXIST:
            raise TapeExists(f"{ascii(str(path))[1:-1]} exists; --force overwrites it") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise TapeExists(f"{ascii(str(path))[1:-1]} is not a regular file")
        if not lock(fd):
            raise TapeExists(f"{ascii(str(path))[1:-1]} is being recorded by another ebpftop")
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _is_at(fd: int, path: Path) -> bool:
    """Whether the file still has this path, as far as we may know."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


class TapeReader:
    """Reads a tape. `blocks` says what is where, and why the tape is incomplete, as far as its headers show.

    Opening raises `BadTape` if nothing can be read, and `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self.blocks = Blocks(path)
        self.name, self.size = self.blocks.name, self.blocks.size
        try:
            if self.blocks.last is None:
                raise BadTape(self.blocks.problem) if self.blocks.problem else self._bad("contains no frames")
            self._check_hello()
        except BaseException:
            self.close()
            raise

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return self.blocks.end / 1e9

    @property
    def problem(self) -> str:
        """One line: why the tape is incomplete, as far as its headers show; "" if it is complete."""
        return self.blocks.problem

    @property
    def outline(self) -> Outline | None:
        """The coarse increase of each view, known before any block is read. None without an index that has it."""
        from ebpftop.frames.overview import Outline, gains_of

        index = self.blocks.index
        if index is None or not index.step_ns or not index.monotonic_ns:
            return None
        found = [gains for line in index.lines if (gains := gains_of(line)) is not None]
        return Outline(index.monotonic_ns, index.monotonic_ns + self.blocks.end, index.step_ns, found)

    def __iter__(self) -> Iterator[tuple[int, AnyFrame]]:
        """Yield (nanoseconds since the first frame, frame). Raises `BadTape` after the last readable frame."""
        return self._frames(self.blocks.records())

    def since(self, time: int) -> Iterator[tuple[int, AnyFrame]]:
        """The same, but everything before the last key up to a time (ns) is replaced by the state at that key."""
        state, behind = self.blocks.state(time)
        return self._frames(chain(state, behind))

    def written(self) -> Iterator[tuple[int, Written, int]]:
        """Times, frames in their written form, and the bytes of each. Raises `BadTape`."""
        return self._read(self.blocks.records(), lambda frame: frame)

    def _frames(self, records: Iterator[tuple[int, memoryview]]) -> Iterator[tuple[int, AnyFrame]]:
        return ((at, frame) for at, frame, _ in self._read(records, Reading().read))

    def _read(
        self, records: Iterator[tuple[int, memoryview]], read: Callable[[Written], T]
    ) -> Iterator[tuple[int, T, int]]:
        decode = written()
        for at, body in records:
            try:
                if not form.fits(body):
                    raise self._bad(f"holds too large a frame after {at / 1e9:.1f} s")
                frame = read(decode(body))
            except BadTape:
                raise
            except (BadFrame, *MALFORMED) as error:
                raise self._bad(f"is damaged after {at / 1e9:.1f} s: {error}") from None
            except MemoryError:
                raise self._bad(f"needs more memory than available after {at / 1e9:.1f} s") from None
            yield at, frame, len(body)

    def close(self) -> None:
        self.blocks.close()

    def _bad(self, what: str) -> BadTape:
        return self.blocks.bad(what)

    def _check_hello(self) -> None:
        _, frame = next(iter(self), (0, None))
        if frame is None:
            raise self._bad("contains no frames")
        if not isinstance(frame, Hello):
            raise self._bad("does not begin with a Hello frame")
        if frame.protocol > PROTOCOL:
            raise self._bad(f"was written by a newer ebpftop (protocol {frame.protocol}; this one reads {PROTOCOL})")
