"""The last minutes of a stream in memory, encoded and compressed as on a tape, and copying them to a tape.

The frames are in segments. A segment begins with what a reader must know before its frames: its runs, and a whole first
snapshot of each run. So the oldest segments can be dropped at any time. All other changes are kept as received. A copy
reads the frames back and gives them to an ordinary `TapeWriter`, a few with every incoming frame, until it has caught
up: no frame waits long for it.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ebpftop.frames.codec import written
from ebpftop.frames.identities import Identities
from ebpftop.frames.messages import (
    AnyFrame,
    Catalog,
    Detached,
    Hello,
    Loaded,
    Loading,
    Processes,
    Rejected,
    Snapshot,
    Stacks,
    Written,
)
from ebpftop.frames.reading import Reading
from ebpftop.frames.tape import TapeWriter

if TYPE_CHECKING:
    from ebpftop.frames.stacks import KnownStacks

LIMIT = 32 << 20  # bytes of what is kept
DASHBOARD = 600.0  # seconds that it keeps, if there is room, to be recorded after the fact
_SEGMENT = 10.0  # seconds
_PART = 1 / 8  # of the limit, after which a segment ends early
_BLOCK = 256 << 10  # bytes that are compressed together
_LEVEL = 1
_BATCH = 4096  # processes or functions in a frame, which a tape limits
_FEW = 256  # stacks
_STEP = 0.01  # seconds that a copy works with every frame that comes
_LEAST = 2  # frames that it copies then at least

_encode = msgspec.msgpack.Encoder().encode
T = TypeVar("T")
Timed = tuple[int, bytes]  # when a frame came, and the frame


class _Segment:
    """head: what precedes its frames. anew: whether a stream begins with it. after: the next segment, for a copy that
    is working here.
    """

    def __init__(self, start: int, head: list[AnyFrame], anew: bool) -> None:
        self.start, self.head, self.anew = start, head, anew
        self.bytes = 0
        self.after: _Segment | None = None
        self._blocks: list[tuple[bytes, list[tuple[int, int]]]] = []  # compressed; of each frame, when and how long
        self._open: list[Timed] = []
        self._size = 0  # of the open ones

    def add(self, at: int, body: bytes) -> None:
        self._open.append((at, body))
        self._size += len(body)
        self.bytes += len(body)
        if self._size >= _BLOCK:
            self.close()

    def close(self) -> None:
        """Compress the rest."""
        if self._open:
            packed = zlib.compress(b"".join(body for _, body in self._open), _LEVEL)
            self._blocks.append((packed, [(at, len(body)) for at, body in self._open]))
            self.bytes += len(packed) - self._size
            self._open, self._size = [], 0

    def frames(self) -> Iterator[Timed]:
        """All frames, including those added before the iteration reaches the end."""
        block = seen = 0
        while True:
            if block < len(self._blocks):
                packed, sizes = self._blocks[block]
                data, begin = zlib.decompress(packed), 0
                for number, (at, size) in enumerate(sizes):
                    if number >= seen:
                        yield at, data[begin : begin + size]
                    begin += size
                block, seen = block + 1, 0
            elif seen < len(self._open):
                seen += 1
                yield self._open[seen - 1]
            else:
                return


class Recent:
    """Takes every frame of a stream. seconds: how much is kept at least, within the limit of bytes; at most ten more.

    A `Hello` starts over. added: the number of frames so far.
    """

    def __init__(self, seconds: float, *, limit: int = LIMIT, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.seconds, self.limit = seconds, limit
        self.clock = clock
        self.bytes = self.added = 0
        self._segments: deque[_Segment] = deque()
        self._begin(None)

    def _begin(self, hello: Hello | None) -> None:
        self._hello = hello
        self._catalog: Catalog | None = None
        self._processes = Identities()
        self._stacks: KnownStacks | None = None
        self._runs: dict[int, AnyFrame] = {}  # `Loading` or `Loaded` of those that haven't ended
        self._shown: set[int] = set()  # runs with a snapshot in the last segment

    @property
    def kept(self) -> float:
        """Seconds from the first kept frame until now."""
        return (self.clock() - self._segments[0].start) / 1e9 if self._segments else 0.0

    def add(self, frame: AnyFrame) -> None:
        """Keep a frame, as of now."""
        now = self.clock()
        if isinstance(frame, Hello):
            self.added += 1
            self._begin(frame)
            self._next(now, anew=True)
            return
        if self._hello is None:
            return
        self.added += 1
        last = self._segments[-1]
        if now - last.start >= _SEGMENT * 1e9 or last.bytes >= self.limit * _PART:
            self._next(now)
            last = self._segments[-1]
        before = last.bytes
        last.add(now, _encode(self._written(frame)))
        self.bytes += last.bytes - before
        self._learn(frame)

    def _next(self, now: int, *, anew: bool = False) -> None:
        """Begin a segment; drop unneeded ones."""
        head = [frame for frame in (self._hello, self._catalog, *self._runs.values()) if frame is not None]
        segment = _Segment(now, head, anew)
        if self._segments:
            last = self._segments[-1]
            before = last.bytes
            last.close()
            self.bytes += last.bytes - before
            last.after = segment
        self._segments.append(segment)
        self._shown = set()
        oldest = now - round(self.seconds * 1e9)
        while len(self._segments) > 1 and (
            anew or self._segments[1].start <= oldest or self.bytes > self.limit * (1 - _PART)
        ):
            self.bytes -= self._segments.popleft().bytes

    def _written(self, frame: AnyFrame) -> Written:
        if not isinstance(frame, Snapshot):
            return frame
        from ebpftop.frames.received import Received  # NumPy, which is there with the first snapshot

        if not isinstance(frame, Received):
            return frame
        known = frame.run in self._shown
        self._shown.add(frame.run)
        return frame.came if known else frame.key()

    def _learn(self, frame: AnyFrame) -> None:
        match frame:
            case Catalog():
                self._catalog = frame
            case Processes():
                self._processes.remember(frame.processes)
            case Stacks():
                if self._stacks is None:
                    from ebpftop.frames.stacks import KnownStacks

                    self._stacks = KnownStacks()
                self._stacks.take(frame)
            case Loading() | Loaded():
                self._runs[frame.run] = frame
            case Rejected() | Detached():
                self._runs.pop(frame.run, None)

    def frames(self, seconds: float) -> Iterator[tuple[int, AnyFrame]] | None:
        """(when, frame): what a reader must know, then the frames of the last seconds, or a little earlier, and new
        ones until this iterator has caught up. Names of processes and functions are the current ones. None if no stream
        has begun.
        """
        if not self._segments:
            return None
        since = self.clock() - round(seconds * 1e9)
        if seconds <= 0:
            self._next(since)
        old_enough = (each for each in reversed(self._segments) if each.start <= since)
        return self._from(next(old_enough, self._segments[0]), list(self._names()))

    def _from(self, first: _Segment, names: list[AnyFrame]) -> Iterator[tuple[int, AnyFrame]]:
        yield from ((first.start, frame) for frame in (*first.head, *names))
        segment: _Segment | None = first
        while segment is not None:
            reading, decode = Reading(), written()
            for at, body in segment.frames():
                yield at, reading.read(decode(body))
            segment = segment.after
            if segment is not None and segment.anew:
                yield from ((segment.start, frame) for frame in segment.head)

    def _names(self) -> Iterator[AnyFrame]:
        for processes in _parts(list(self._processes.values()), _BATCH):
            yield Processes(processes=processes)
        if self._stacks is not None:
            known = self._stacks.as_frame()
            for functions in _parts(known.functions, _BATCH):
                yield Stacks(functions=functions)
            for stacks in _parts(known.stacks, _FEW):
                yield Stacks(stacks=stacks)


def _parts(whole: list[T], most: int) -> Iterator[list[T]]:
    return (whole[at : at + most] for at in range(0, len(whole), most))


class Copy:
    """Writes the last seconds to a tape, and then incoming frames, until `end` on the stream's clock, if there is one.

    Its methods raise `OSError`.
    """

    def __init__(self, recent: Recent, writer: TapeWriter, seconds: float, end: int | None = None) -> None:
        self.writer, self.end = writer, end
        self._recent = recent
        self._past = recent.frames(seconds)  # None once it has caught up
        self._copied = recent.added  # frames of those that were added, then

    def take(self, frame: AnyFrame) -> bool:
        """Continue after a frame was added to the recent ones; False once the end has come."""
        if self._past is None:
            if self._copied >= self._recent.added:
                return True  # it was copied with those before it
            self._copied += 1
            return self._write(self._recent.clock(), frame)
        until = time.perf_counter() + _STEP
        return self._copy(lambda: time.perf_counter() >= until)

    def close(self) -> None:
        """Write the rest, and end the tape."""
        try:
            self._copy(lambda: False)
        finally:
            self.writer.close()

    def _copy(self, enough: Callable[[], bool]) -> bool:
        past = self._past
        while past is not None:
            some = list(islice(past, _LEAST))
            if len(some) < _LEAST:
                self._past = past = None
                self._copied = self._recent.added
            if not all(self._write(at, frame) for at, frame in some):
                self._past = None
                return False
            if enough():
                break
        return True

    def _write(self, at: int, frame: AnyFrame) -> bool:
        if self.end is not None and at > self.end:
            return False
        self.writer.write(frame, at)
        return True
