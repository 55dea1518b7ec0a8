"""What waits for a slow consumer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from ebpftop.collector import outbox
from ebpftop.collector.outbox import Outbox
from ebpftop.frames.codec import frame_decoder
from ebpftop.frames.columns import pack
from ebpftop.frames.messages import AnyFrame, Events, Host

Skipped = list[tuple[int, int]]


class Slow:
    """A consumer that reads only when it is told to."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self.skipped: Skipped = []
        self.outbox = Outbox(ours, lambda run, events: self.skipped.append((run, events)))
        self._decoder = frame_decoder()

    def read(self) -> list[AnyFrame]:
        """All that waits."""
        frames: list[AnyFrame] = []
        done = False
        while not done:
            done = self.outbox.flush()
            frames += self._decoder.feed(self._theirs.recv(1 << 20))
        return frames

    def close(self) -> None:
        self.outbox.socket.close()
        self._theirs.close()


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.close()


def events(number: int, rows: int) -> Events:
    return Events(run=1, map="events", columns=pack({"number": np.full(rows, number, "<u8")}), count=rows)


def host(second: int) -> Host:
    return Host(realtime_ns=second * 10**9, cpu_percent=0.0, memory_percent=0.0, load=0.0)


def test_the_machines_load_never_overtakes_events(slow: Slow) -> None:
    """By it a consumer knows how late it is."""
    for second in range(3):
        slow.outbox.put(events(second, 10))
        slow.outbox.put(host(second))
    slow.outbox.put(events(3, 10))
    assert [type(frame).__name__ for frame in slow.read()] == ["Events", "Events", "Events", "Host", "Events"]


def test_events_beyond_the_bytes_that_may_wait_are_counted(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "EVENT_BACKLOG", 8 * 1000)
    for number in range(5):
        slow.outbox.put(events(number, 300))
    assert slow.skipped == [(1, 300), (1, 300)]
    assert [frame.count for frame in slow.read() if isinstance(frame, Events)] == [300, 300, 300]
    slow.outbox.put(events(5, 1000))
    assert slow.skipped == [(1, 300), (1, 300)]
    assert len(slow.read()) == 1
