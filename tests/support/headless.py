"""Runs a probe without a screen against a scripted collector, for tests of the output."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Any

from ebpftop.export import headless
from ebpftop.frames.messages import AnyFrame, Detaching, Load, Loading
from tests.support.collector import Scripted
from tests.support.frames import (
    LATENCY,
    SAMPLES,
    columns,
    cost,
    detached,
    hello,
    loaded,
    process,
    processes,
    samples,
    snapshot,
    stacks,
)
from tests.support.schemas import check

LEAVING = Detaching(run=1, done=0, total=1)
PEOPLE = processes(process(1, "sh"), process(2, "make"), process(3, "evil\x1b[31m\n"))


class Ran:
    """The output of one run, and its exit code."""

    def __init__(self, code: int, out: str, err: str, source: Scripted) -> None:
        self.code, self.out, self.err, self.source = code, out, err, source

    @property
    def objects(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.out.splitlines()]
        for each in found:
            check("run", each)
        return found


async def ran(
    on_load: Sequence[AnyFrame],
    on_detach: Sequence[AnyFrame] | None = (),
    *,
    duration: float | None = None,
    format: headless.Format = "json",
    raw: bool = False,
    ends: bool = False,
) -> Ran:
    """Load, receive `on_load`, be stopped (or run for `duration`), receive `on_detach` and the end; None: nothing."""
    stop = asyncio.Event()
    end = [LEAVING, *on_detach, detached(1)] if on_detach is not None else []
    after_load = stop.set if duration is None else lambda: None
    source = Scripted([hello(), *on_load], end, after_load=after_load, ends=ends)
    out, err = io.StringIO(), io.StringIO()
    async with asyncio.timeout(10):
        code = await headless.run(
            source,
            Load(request=1, probe="cpu/some", params={"pid": "7"}, interval=0.5),
            duration=duration,
            format=format,
            raw=raw,
            out=out,
            err=err,
            stop=stop,
        )
    return Ran(code, out.getvalue(), err.getvalue(), source)


def latency(seq: int, rows: list[tuple[int, int, int]], at: float | None = None, **losses: int) -> AnyFrame:
    tgid, slot, count = ([row[i] for row in rows] for i in range(3))
    return snapshot(1, seq, {"latency": columns(tgid=tgid, slot=slot, count=count)}, at=at, **losses)


def calls(seq: int, rows: list[tuple[int, str, int, int]], **losses: int) -> AnyFrame:
    tgid, nr, count, last = ([row[i] for row in rows] for i in range(4))
    return snapshot(1, seq, {"calls": columns(tgid=tgid, nr=nr, count=count, last_ns=last)}, **losses)


HISTOGRAM = [
    Loading(run=1, probe="cpu/some", params={}, stage="compile"),
    loaded(1, "cpu/some", LATENCY),
    PEOPLE,
    latency(0, [(1, 3, 10)]),
    cost(1, 0, 10, 1000),
    latency(1, [(1, 3, 12), (2, 20, 4)], lost=2),
    cost(1, 1, 30, 10_001_000),
]
LAST = [latency(2, [(1, 3, 13), (2, 20, 10), (2, 21, 1)], at=1.5, lost=3, evicted=1), cost(1, 1.5, 40, 10_002_000)]

# Three stacks of two processes. They end in the same function of the kernel, or in an unknown one.
SAMPLED = [
    loaded(1, "cpu/profile", SAMPLES),
    PEOPLE,
    stacks({10: ["main", "read", "ksys_read_[k]"], 11: ["main", ""], 12: ["[no user stack]", "ksys_read_[k]"]}),
    samples(1, 0, {(1, 10): 3}),
    samples(1, 1, {(1, 10): 10, (1, 11): 11, (2, 12): 2}),
]
SAMPLED_LAST = [samples(1, 2, {(1, 10): 10, (1, 11): 13, (2, 12): 2})]
