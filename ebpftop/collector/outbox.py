"""Frames on their way to a consumer that may be slow: snapshots are skipped, events are counted as lost, nothing
queues up.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator

from msgspec import structs

from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import FIRST, AnyFrame, Cost, Events, Host, Snapshot
from ebpftop.frames.size import size

EVENT_BACKLOG = 64 << 20
"""Bytes of events that may wait for a consumer: more than a second of 200,000 opens."""

TOGETHER = 32 << 10  # bytes


class Outbox:
    """Encodes a frame only when the socket can take it, so a skipped frame costs nothing.

    skip_events: called with the run and the number of skipped events. unsent: bytes that precede any frame.
    """

    def __init__(
        self, sock: socket.socket, skip_events: Callable[[int, int], None], unsent: memoryview | None = None
    ) -> None:
        self.socket = sock
        sock.setblocking(False)
        self._skip_events = skip_events
        self._waiting: deque[AnyFrame] = deque()
        self._events: deque[int] = deque()  # bytes of the event frames among them
        self._bytes = 0  # of all those
        self._partial = unsent or memoryview(b"")
        self._changes = ChangeWriter()

    def put(self, frame: AnyFrame) -> None:
        """Queue a frame. A frame that only shows the current state replaces the previous one. If a run's first snapshot
        is replaced, the later one becomes the first, because its counts begin at attaching too.
        """
        if isinstance(frame, Snapshot | Cost | Host):
            replaced = self._replace(frame)
            if isinstance(frame, Snapshot) and isinstance(replaced, Snapshot) and replaced.seq <= FIRST:
                frame = structs.replace(frame, seq=replaced.seq)
        self._waiting.append(frame)
        if isinstance(frame, Events):
            self._events.append(size(frame.columns))
            self._bytes += self._events[-1]
            while self._bytes > EVENT_BACKLOG:
                self._drop_oldest_events()

    def _replace(self, frame: Snapshot | Cost | Host) -> AnyFrame | None:
        """Remove the previous one."""
        run = getattr(frame, "run", None)
        for waiting in self._waiting:
            if type(waiting) is type(frame) and getattr(waiting, "run", None) == run:
                self._waiting.remove(waiting)
                return waiting
        return None

    def _drop_oldest_events(self) -> None:
        oldest = next(frame for frame in self._waiting if isinstance(frame, Events))
        self._waiting.remove(oldest)
        self._bytes -= self._events.popleft()
        self._skip_events(oldest.run, oldest.count)
        for at, waiting in enumerate(self._waiting):
            if isinstance(waiting, Snapshot) and waiting.run == oldest.run:  # it may be the run's last
                losses = structs.replace(waiting.losses, lost=waiting.losses.lost + oldest.count)
                self._waiting[at] = structs.replace(waiting, losses=losses)

    def flush(self) -> bool:
        """Write as much as the socket takes; True when everything is written. Raises `OSError` when the consumer is
        gone.
        """
        while self._partial or self._waiting:
            if not self._partial:
                self._partial = memoryview(b"".join(self._encoded()))
            try:
                written = self.socket.send(self._partial)
            except BlockingIOError:
                return False
            self._partial = self._partial[written:]
        return True

    def _encoded(self) -> Iterator[bytes]:
        """The waiting frames, up to some `TOGETHER` bytes, because each write wakes up the consumer."""
        length = 0
        while self._waiting and length < TOGETHER:
            frame = self._waiting.popleft()
            if isinstance(frame, Events):
                self._bytes -= self._events.popleft()
            encoded = encode(self._changes.written(frame))
            length += len(encoded)
            yield encoded
