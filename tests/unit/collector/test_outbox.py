"""What waits for a slow consumer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from msgspec import structs

from ebpftop.collector import outbox
from ebpftop.collector.outbox import Outbox
from ebpftop.frames.columns import pack, unpack
from ebpftop.frames.messages import AnyFrame, Events, Host, Losses, Snapshot
from ebpftop.frames.reading import FrameDecoder

Skipped = list[tuple[int, int]]


class Slow:
    """A consumer that reads only when it is told to."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self.skipped: Skipped = []
        self.outbox = Outbox(ours, lambda run, events: self.skipped.append((run, events)))
        self._decoder = FrameDecoder()

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


def test_events_of_a_run_that_is_over_are_counted_in_its_last_sample(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "EVENT_BACKLOG", 8 * 1000)
    slow.outbox.put(events(0, 300))
    slow.outbox.put(events(1, 200))
    last = structs.replace(snapshot(5, [1], 10), losses=Losses(lost=7, map_full=2))
    slow.outbox.put(last)
    for number in range(3):
        slow.outbox.put(structs.replace(events(number, 300), run=2))
    got = slow.read()
    seen = sum(frame.count for frame in got if isinstance(frame, Events) and frame.run == 1)
    (end,) = (frame for frame in got if isinstance(frame, Snapshot))
    assert (seen, end.losses) == (0, Losses(lost=7 + 500, map_full=2))


def test_what_waits_goes_in_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "TOGETHER", 1000)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # each write is a message
    with ours, theirs:
        waiting, decoder = Outbox(ours, lambda run, rows: None), FrameDecoder()
        for number in range(4):
            waiting.put(events(number, 50))  # 400 bytes of rows
        assert waiting.flush()
        writes = [[type(frame) for frame in decoder.feed(theirs.recv(1 << 20))] for _ in range(2)]
    assert writes == [[Events] * 2, [Events] * 2]


def snapshot(seq: int, keys: list[int], count: int) -> Snapshot:
    columns = pack({"key": np.array(keys, "<u4"), "count": np.full(len(keys), count, "<u8")})
    return Snapshot(run=1, seq=seq, realtime_ns=0, monotonic_ns=seq, boottime_ns=0, maps={"calls": columns})


def test_a_skipped_snapshot_costs_resolution_and_no_counts() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outbox, decoder = Outbox(ours, lambda run, rows: None), FrameDecoder()
        outbox.put(snapshot(1, [1, 2, 3], 10))
        assert outbox.flush()
        outbox.put(snapshot(2, [2, 3, 4], 20))  # 1 ended, 4 was born
        outbox.put(snapshot(3, [3, 4, 5], 30))  # takes its place: 2 ended, 5 was born
        assert outbox.flush()
        got = list(decoder.feed(theirs.recv(1 << 20)))
    assert [frame.seq for frame in got if isinstance(frame, Snapshot)] == [1, 3]
    last = got[-1]
    assert isinstance(last, Snapshot)
    columns = unpack(last.maps["calls"])
    rows = zip(np.asarray(columns["key"]).tolist(), np.asarray(columns["count"]).tolist(), strict=True)
    assert sorted(rows) == [(3, 30), (4, 30), (5, 30)]
