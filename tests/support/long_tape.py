"""A long synthetic tape of many processes, for tests of size.

python -m tests.support.long_tape TAPE [STEPS]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ebpftop.frames.messages import AnyFrame, ColumnInfo, Host, Snapshot, ViewInfo
from ebpftop.frames.tape import TapeWriter
from tests.support.frames import EPOCH, LATENCY, SECOND, catalog, columns, hello, loaded, probe, process, processes

PROBES, PROCESSES, CHANGED = 5, 2000, 0.1
_PROCESS = ColumnInfo(field="tgid", title="Process", decode="process")
TABLE = ViewInfo(
    name="calls",
    map="calls",
    show="table",
    title="Calls",
    columns=[
        _PROCESS,
        ColumnInfo(field="count", title="Calls", unit="count", role="counter"),
        ColumnInfo(field="time_ns", title="Time", unit="ns", role="counter"),
    ],
    sort="count",
)


def frames(
    steps: int, *, probes: int = PROBES, count: int = PROCESSES, changed: float = CHANGED
) -> Iterator[tuple[int, AnyFrame]]:
    """A time in ns and a frame. Every second, a part of each probe's rows changes, one row a process; every second
    probe has a histogram.
    """
    choose = np.random.default_rng(1)
    views = [LATENCY if number % 2 else TABLE for number in range(probes)]
    names = [f"cpu/probe{number}" for number in range(probes)]
    yield 0, hello()
    yield 0, catalog(*(probe(name, [view]) for name, view in zip(names, views, strict=True)))
    yield (
        0,
        processes(*(process(each, f"worker-{each % 97}", cgroup=f"/a/{each % 31}") for each in range(1, count + 1))),
    )
    for number, (name, view) in enumerate(zip(names, views, strict=True)):
        yield 0, loaded(number + 1, name, view)
    tgids = np.arange(1, count + 1, dtype="<u4")
    slots = [np.clip(choose.normal(100, 20, count), 0, 400).astype("<u4") for _ in range(probes)]
    counts = [choose.integers(1, 1000, count).astype("<u8") for _ in range(probes)]
    times = [each * np.uint64(1000) for each in counts]
    for step in range(steps):
        now = step * SECOND
        for number, view in enumerate(views):
            rows = choose.permutation(count)[: round(count * changed)]
            gains = choose.geometric(0.1, len(rows)).astype("<u8")
            counts[number][rows] += gains
            times[number][rows] += gains * choose.integers(500, 5000, len(rows)).astype("<u8")
            if view is TABLE:
                table = columns(tgid=tgids, count=counts[number], time_ns=times[number])
            else:
                table = columns(tgid=tgids, slot=slots[number], count=counts[number])
            yield (
                now,
                Snapshot(
                    run=number + 1,
                    seq=step,
                    realtime_ns=EPOCH + now,
                    monotonic_ns=1000 * SECOND + now,
                    boottime_ns=3600 * SECOND + now,
                    maps={view.map: table},
                ),
            )
        yield now, Host(realtime_ns=EPOCH + now, cpu_percent=10.0, memory_percent=50.0, load=1.0, own_ns=now // 50)


def write(path: Path, steps: int = 3600) -> Path:
    now = 0
    with TapeWriter(path, clock=lambda: now, force=True) as tape:
        for now, frame in frames(steps):  # noqa: B007 - the clock reads it
            tape.write(frame)
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3600)
