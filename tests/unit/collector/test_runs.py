"""How runs end."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator

import pytest

from ebpftop.base.map_types import RINGBUF
from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.budget import Budget
from ebpftop.collector.census import Census
from ebpftop.collector.census_probe import CensusProbe
from ebpftop.collector.decode import Context
from ebpftop.collector.departed import Departed
from ebpftop.collector.functions import Functions
from ebpftop.collector.noting import Noting
from ebpftop.collector.runs import Runs
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.frames.messages import AnyFrame, Attached, Detached, Events, Snapshot
from ebpftop.handover.protocol import Handover
from tests.unit.collector.test_ring import SIZE, File

LAYOUT = MapLayout(
    name="events",
    kind=RINGBUF,
    max_entries=SIZE,
    key=Record(0, []),
    value=Record(4, [Field("number", "<u4", 0)]),
)


class Traced:
    """Two runs with a ring buffer and an attachment each, and what is put for them. The first is about to end."""

    def __init__(self, closing: contextlib.ExitStack) -> None:
        self.put: list[AnyFrame] = []
        census, context = Census(lambda number, hierarchy: ""), Context()
        departed = Departed(census)
        self.runs = Runs(
            self.put.append,
            lambda _: None,
            census,
            CensusProbe(census, context, lambda _: None, lambda _: None),
            Functions(census, departed),
            Noting(departed, lambda _: None, lambda _: None),
            lambda: None,
            Budget(0.0),
            hold=False,
        )
        self.rings = {number: File() for number in (1, 2)}
        outcome = Attached(variant="raw", meaning="exact", views=[], attached=[])
        message = Handover(outcome=outcome, maps=[LAYOUT], programs=[])
        for number, ring in self.rings.items():
            descriptors = [os.dup(ring.fd), os.open(os.devnull, os.O_RDONLY)]
            self.runs.begin(AttachedProbe(number, "cpu/x", message, descriptors, census, context), 1.0)
            closing.callback(os.close, ring.fd)
        closing.callback(self.runs.attached[2].close)

    def detach(self) -> None:
        self.runs.detach(1)
        assert self.closes(20.0)
        self.runs.on_detaching()

    def closes(self, seconds: float) -> bool:
        """Whether an attachment was closed."""
        return bool(select.select([self.runs.detaching.woken], [], [], seconds)[0])

    def kinds(self) -> list[type[AnyFrame]]:
        return [type(frame) for frame in self.put if isinstance(frame, Events | Snapshot | Detached)]


@pytest.fixture
def traced() -> Iterator[Traced]:
    with contextlib.ExitStack() as closing:
        yield Traced(closing)


def test_a_run_ends_with_its_last_events_and_their_sample(traced: Traced) -> None:
    traced.rings[1].put(0, 4, 17)
    traced.rings[1].positions(0, 16)
    traced.detach()
    assert traced.kinds() == [Events, Snapshot, Detached]
    assert traced.runs.attached.keys() == {2}


def test_a_ring_that_breaks_at_the_end_ends_its_own_run_alone(traced: Traced) -> None:
    traced.rings[1].put(0, 8, 17)
    traced.rings[1].positions(0, 16)
    traced.detach()
    assert traced.put[-1] == Detached(run=1, reason="a record of 8 bytes in a ring buffer of records of 4")
    assert traced.kinds() == [Detached]
    assert traced.runs.attached.keys() == {2}
    assert not traced.closes(0.1)  # again: its descriptors may be others' by now
    traced.runs.finish()


def test_what_a_consumer_misses_while_a_run_waits_for_names_is_in_its_last_sample(traced: Traced) -> None:
    run = traced.runs.over[1] = traced.runs.attached.pop(1)
    traced.runs.skipped(1, 5)
    assert run.snapshot().losses.lost == 5
