"""What a slow consumer receives."""

import socket

import numpy as np

from ebpftop.collector.outbox import Outbox
from ebpftop.frames.columns import pack, unpack
from ebpftop.frames.messages import Snapshot
from ebpftop.frames.reading import FrameDecoder


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
