"""A minute of frames whose halves are compared, and what tests of it share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from ebpftop.frames.messages import AnyFrame, Snapshot
from ebpftop.model.past.span import Span
from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.compared_panels import ComparedPanel
from ebpftop.ui.widgets.table_frame import TableFrame
from tests.support.frames import EPOCH, SECOND, process, processes
from tests.ui.conftest import Stage, seen
from tests.ui.probes import calls, latencies

CALLS = Options(auto_load=[("cpu/syscount", {})])
LATENCY = Options(auto_load=[("cpu/runqlat", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"), process(3, "web"))


def at(second: int) -> str:
    """The local time of a sample."""
    return f"{datetime.fromtimestamp(EPOCH / SECOND + second):%H:%M:%S}"


def second(number: int) -> Snapshot:
    """postgres makes about ten calls a second and web 5, node 20 and from the 31st on 200."""
    wiggle = number % 2
    node = 20 * number + max(0, number - 30) * 180
    return calls(number, {1: 10 * number + wiggle, 2: node + wiggle, 3: 5 * number})


def values(number: int) -> Snapshot:
    """A hundred waits a second of postgres, 8 µs each; from the 31st on a half of them takes 60 ms."""
    slow = max(0, number - 30) * 50
    return latencies(number, {1: {8_000: 100 * number - slow, 60_000_000: slow}, 2: {8_000: 10 * number}})


def moment(second: int) -> int:
    """When a sample is of."""
    return (1000 + second) * SECOND


async def compared(on: Stage) -> None:
    """Wait until what is in front was compared."""
    pane = on.app.dashboard.pane
    assert pane is not None
    while any("comparing…" in seen(each) for panel in pane.panels for each in panel.query("*") if each.size.height):
        await asyncio.sleep(0.01)
        await on.settle()


async def press(on: Stage, *keys: str) -> None:
    await on.press(*keys)
    await compared(on)


async def halves(on: Stage, frame: Callable[[int], AnyFrame]) -> None:
    """A is the first half of a minute, B the second."""
    await on.play(PEOPLE, *map(frame, range(0, 61)))
    on.app.feed.when.choose(Span(moment(0), moment(30)))
    await press(on, "a", "right_parenthesis", "b")


def title(on: Stage) -> str:
    return str(on.one(ComparedPanel).query_one(TableFrame).border_title)
