"""Processes that come and go for hours: what each side keeps of them is bounded, and nothing that they did is lost."""

import tracemalloc
from collections import deque

import msgspec
import numpy as np

from ebpftop.base import bounds
from ebpftop.collector.displayed import KEPT
from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.columns import pack
from ebpftop.frames.messages import (
    FOLDED,
    ColumnInfo,
    Loaded,
    Loading,
    Process,
    Processes,
    Snapshot,
    ViewInfo,
    Written,
)
from ebpftop.frames.received import ChangeReader
from ebpftop.model import ledger
from ebpftop.model.session import Session
from tests.support.frames import hello

BORN, SECONDS = 4_000, 48  # as many as in 21 minutes at 150 a second
VIEW = ViewInfo(
    name="calls",
    map="calls",
    show="table",
    title="Calls",
    columns=[
        ColumnInfo(field="process", title="PROCESS", decode="process"),
        ColumnInfo(field="count", title="COUNT", role="counter"),
    ],
)


def test_memory_is_flat_after_the_bound_and_counts_are_exact() -> None:
    writer, reader, session = ChangeWriter(), ChangeReader(), Session(past_bytes=1 << 20)  # soon full

    def send(frame: Written) -> None:
        session.feed(reader.read(msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Written)))

    send(hello())
    send(Loading(run=1, probe="a/b", params={}, stage="queued"))
    loaded = Loaded(run=1, probe="a/b", params={}, variant="raw", meaning="", views=[VIEW], attached=[])
    send(writer.written(loaded))
    kept: deque[tuple[int, int]] = deque()  # (identity, count) of those that ended, as a collector keeps them
    folded = made = 0
    sizes = []
    tracemalloc.start()
    for second in range(1, SECONDS + 1):
        first = second * BORN
        now = [(number, 1 + number % 7) for number in range(first, first + BORN)]
        made += sum(count for _, count in now)
        send(Processes(processes=[Process(id=n, tgid=n, start_ns=n, comm=f"sh{n}", ended_ns=n) for n, _ in now]))
        rows = np.array([*now, *kept, *([(FOLDED, folded)] if folded else [])])
        maps = {"calls": pack({"process": rows[:, 0].astype("<u4"), "count": rows[:, 1].astype("<u8")})}
        moment = second * 10**9
        send(writer.written(Snapshot(run=1, seq=second, realtime_ns=0, monotonic_ns=moment, boottime_ns=0, maps=maps)))
        kept.extend(now)
        while len(kept) > KEPT:
            folded += kept.popleft()[1]
        totals = session.runs[1].ledgers["calls"]
        assert int(totals.totals["count"].sum()) == made
        assert totals.rows <= BORN + KEPT + ledger.LIMIT + BORN + 1
        assert session.processes.bytes <= bounds.PROCESSES
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert session.processes[FOLDED].comm == "(ended earlier)"
    assert totals.dropped > BORN * SECONDS // 2
    third = SECONDS // 3  # identities are forgotten by halves: a third sees that at least once
    assert max(sizes[2 * third :]) < 1.1 * max(sizes[third : 2 * third])
    assert max(sizes) < 80 << 20
