"""Frames on their way to a consumer that may be slow: snapshots are skipped, events are counted as lost, nothing
queues up.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, Cost, Events, Host, Snapshot
from ebpftop.frames.size import size

EVENT_BACKLOG = 64 << 20
"""Bytes of events that may wait for a consumer: more than a second of 200,000 opens."""


class Outbox:
    """Encodes a frame when the socket takes it, not before, so that a skipped one costs nothing."""

    def __init__(self, sock: socket.socket, skip_events: Callable[[int, int], None]) -> None:
        self.socket = sock
        sock.setblocking(False)
        self._skip_events = skip_events  # (run, rows)
        self._waiting: deque[AnyFrame] = deque()
        self._events = 0  # bytes
        self._partial = memoryview(b"")
        self._changes = ChangeWriter()

    def put(self, frame: AnyFrame) -> None:
        """Queue a frame; one that only shows the current state replaces the one before."""
        if isinstance(frame, Snapshot | Cost | Host):
            self._replace(frame)
        self._waiting.append(frame)
        if isinstance(frame, Events):
            self._events += size(frame.columns)
            while self._events > EVENT_BACKLOG:
                self._drop_oldest_events()

    def _replace(self, frame: Snapshot | Cost | Host) -> None:
        run = getattr(frame, "run", None)
        for waiting in self._waiting:
            if type(waiting) is type(frame) and getattr(waiting, "run", None) == run:
                self._waiting.remove(waiting)
                return

    def _drop_oldest_events(self) -> None:
        oldest = next(frame for frame in self._waiting if isinstance(frame, Events))
        self._waiting.remove(oldest)
        self._events -= size(oldest.columns)
        self._skip_events(oldest.run, oldest.count)

    def flush(self) -> bool:
        """Write what the socket takes; True when all is written. Raises `OSError` when the consumer is gone."""
        while self._partial or self._waiting:
            if not self._partial:
                frame = self._waiting.popleft()
                if isinstance(frame, Events):
                    self._events -= size(frame.columns)
                self._partial = memoryview(encode(self._changes.written(frame)))
            try:
                written = self.socket.send(self._partial)
            except BlockingIOError:
                return False
            self._partial = self._partial[written:]
        return True
