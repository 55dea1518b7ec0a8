"""A hand-written tape with cases that are hard to count."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeWriter
from tests.support import frames
from tests.support.frames import CALLS, EXECS, LATENCY, SAMPLES, SECOND


def hand_written() -> list[AnyFrame]:
    """Births, an end, a key that returns, a process folded into the ended ones, losses, two stacks of one name."""
    names = [
        frames.process(1, "sh"),
        frames.process(2, "make", ppid=1001, parent="sh"),
        frames.process(3, "<b>cc", ppid=1002, parent="make"),
        frames.process(0, "(ended)"),
    ]

    def sample(
        seq: int, latency: dict[tuple[int, int], int], calls: dict[tuple[int, str], tuple[int, int]]
    ) -> AnyFrame:
        keys, counts = zip(*latency.items(), strict=True)
        tgids, slots = zip(*keys, strict=True)
        rows = frames.columns(tgid=np.array(tgids, "<u4"), slot=np.array(slots, "<u4"), count=list(counts))
        (whose, nr), values = (zip(*calls, strict=True)), list(calls.values())
        table = frames.columns(
            tgid=np.array(whose, "<u4"), nr=list(nr), count=[n for n, _ in values], last_ns=[ns for _, ns in values]
        )
        lost = {"lost": 2 + seq * 5, "evicted": seq // 4}
        return frames.snapshot(1, seq, {"latency": rows, "calls": table}, **lost)

    return [
        frames.hello(),
        frames.catalog(frames.probe("cpu/mixed", [LATENCY, CALLS])),
        frames.processes(*names),
        frames.loaded(1, "cpu/mixed", LATENCY, CALLS),
        frames.loaded(2, "cpu/execs", EXECS),
        frames.loaded(3, "cpu/samples", SAMPLES),
        frames.stacks({0: ["main", "work"], 1: ["main", "work", "read_[k]"], 2: ["main"]}),
        sample(0, {(1, 20): 1}, {(1, "read"): (1, 100)}),
        frames.samples(3, 0, {(1, 0): 3}),
        frames.cost(1, 0.5, 100, 50_000),
        sample(1, {(1, 20): 7, (1, 40): 2}, {(1, "read"): (9, 200)}),
        frames.snapshot(2, 1, {}),
        frames.events(2, "events", frames.columns(tgid=[1, 2], args=["ls -l", "=1+1"], errno=["", "ENOENT"])),
        sample(2, {(1, 20): 7, (1, 40): 12, (2, 33): 1000}, {(1, "read"): (9, 210), (2, "write"): (70_000, 5)}),
        frames.samples(3, 2, {(1, 0): 13, (2, 1): 40}),
        frames.snapshot(2, 3, {}, lost=3),
        frames.events(2, "events", frames.columns(tgid=[3], args=["cc \u202ex"], errno=[""]), lost=4),
        sample(3, {(0, 20): 7, (0, 40): 13, (2, 33): 1234}, {(2, "write"): (80_000, 6), (3, "read"): (1, 1)}),
        frames.cost(1, 3.5, 900, 4_050_000),
        sample(4, {(0, 20): 7, (0, 40): 13, (1, 20): 2, (2, 33): 1234}, {(2, "write"): (80_001, 6)}),
        frames.snapshot(2, 5, {}, lost=6),
        frames.samples(3, 5, {(1, 0): 13, (2, 1): 44, (2, 2): 5}),
    ]


def written(path: Path) -> Path:
    now = 0

    def clock() -> int:
        return now

    with TapeWriter(path, clock=clock) as tape:
        for frame in hand_written():
            now = max(now, getattr(frame, "monotonic_ns", 0) - 1000 * SECOND)
            tape.write(frame)
    return path
