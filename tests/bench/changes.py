"""A large table from one snapshot to the next: what changed, on its way from the collector's columns to readings.

The peer is the same way where every row has changed, and is written whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.codec import Decoder, encode
from ebpftop.frames.columns import pack
from ebpftop.frames.messages import ColumnInfo, Snapshot, ViewInfo, Written
from ebpftop.frames.received import ChangeReader
from ebpftop.model import readings
from ebpftop.model.session import Session
from tests.bench.table import Row, interleaved, ms
from tests.support.frames import SECOND, hello, loaded

_ROUNDS = 15
_ROWS, _CHANGED = 50_000, 500
_VIEW = ViewInfo(
    name="files",
    map="files",
    show="table",
    title="Files",
    sort="count",
    columns=[
        ColumnInfo(field="tgid", title="process"),
        ColumnInfo(field="inode", title="file"),
        ColumnInfo(field="count", title="calls", role="counter"),
        ColumnInfo(field="bytes", title="bytes", role="counter"),
    ],
)


def rows() -> list[Row]:
    ours, theirs = interleaved(_ROUNDS, _way(_CHANGED), _way(_ROWS, whole=True))
    what = f"{_CHANGED} changed rows of {_ROWS:,}: wire, decoding, ledger, past, reading"
    return [Row(what, ours, "all rows", theirs, ms, target=1 / 10)]


def _way(changed: int, *, whole: bool = False) -> Callable[[], None]:
    """Takes the next snapshot all the way; `changed` of its rows differ from the one before. whole: write all rows."""
    writer, decoder, reader, session = ChangeWriter(), Decoder[Written](Written), ChangeReader(), Session()
    for frame in (hello(), loaded(1, "disk/files", _VIEW)):
        writer.written(frame)
        session.feed(frame)
    snapshots = iter(list(_snapshots(changed)))

    def next_one() -> None:
        if whole:
            writer.forget(1)
        for frame in decoder.feed(encode(writer.written(next(snapshots)))):
            session.feed(reader.read(frame))
        assert len(readings.table(session.runs[1], _VIEW)) == _ROWS

    next_one()
    return next_one


def _snapshots(changed: int) -> Iterator[Snapshot]:
    """One for each round and one before them."""
    random = np.random.default_rng(1)
    inodes = random.integers(0, 1 << 32, _ROWS).astype("<u8")
    counts = np.ones(_ROWS, "<u8")
    for seq in range(1, _ROUNDS + 2):
        counts[random.choice(_ROWS, changed, replace=False)] += np.uint64(3)
        columns = pack({"tgid": np.arange(_ROWS, dtype="<u4"), "inode": inodes, "count": counts, "bytes": counts * 100})
        now = seq * SECOND
        yield Snapshot(run=1, seq=seq, realtime_ns=now, monotonic_ns=now, boottime_ns=now, maps={"files": columns})
