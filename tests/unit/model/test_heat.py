"""Heatmaps read from a past against the past itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.model.heat import HeatReader
from ebpftop.model.past import past as past_module
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import Span
from ebpftop.stats.heatmap import Heatmap
from tests.support.frames import LATENCY, SECOND

Step = dict[tuple[int, int], int]  # (tgid, slot) → gain

STEP = st.dictionaries(st.tuples(st.integers(1, 6), st.integers(0, 40)), st.integers(1, 1 << 40), max_size=8)
LENGTH = st.one_of(st.integers(0, 3 * SECOND), st.just(SECOND))


class Filled:
    """A past of processes by slots."""

    def __init__(self) -> None:
        self.past = Past(["tgid", "slot"], ["count"], process="tgid", kept=["slot"])
        self._numbers: dict[tuple[int, int], int] = {}

    def add(self, step: Step, length: int = SECOND) -> None:
        start = self.past.end or 0
        keys = np.array(list(step), np.int64).reshape(-1, 2)
        numbers = self.past.add(
            (start, start + length, start + length),
            np.array([self._numbers.get(key, -1) for key in step], np.int64),
            lambda at: {"tgid": keys[at, 0], "slot": keys[at, 1]},
            {"count": np.array(list(step.values()), np.int64)},
        )
        self._numbers.update(zip(step, numbers.tolist(), strict=True))

    def read(self, reader: HeatReader, width: int, seconds: float = 0, tgid: int | None = None) -> Heatmap:
        only = self.past.roster.where({"tgid": tgid}) if tgid is not None else None
        return reader.read(self.past, self.past.end or 0, width, seconds=seconds, only=only)


def columns(heat: Heatmap) -> list[tuple[int, int, dict[int, int]]]:
    """Start, end, and what was counted by slot."""
    return [
        (start, end, {int(slot): int(heat.counts[slot, at]) for slot in np.flatnonzero(heat.counts[:, at])})
        for at, (start, end) in enumerate(zip(heat.time.start.tolist(), heat.time.end.tolist(), strict=True))
    ]


def by_slot(past: Past, span: Span, tgid: int | None) -> Counter[int]:
    found = past.gained(span)
    slots: Counter[int] = Counter()
    for number, slot, gain in zip(
        found.keys["tgid"].tolist(), found.keys["slot"].tolist(), found.gains["count"].tolist(), strict=True
    ):
        if tgid in (None, number):
            slots[slot] += gain
    return slots


@settings(deadline=None)
@given(
    st.lists(st.tuples(STEP, LENGTH), min_size=1, max_size=90),
    st.integers(0, 30),
    st.integers(1, 50),
    st.sampled_from([0, 5, 30, 200]),
    st.sampled_from([None, 3]),
)
def test_columns_add_up_to_the_past_whatever_is_merged(
    steps: list[tuple[Step, int]], merges: int, width: int, seconds: float, tgid: int | None
) -> None:
    filled = Filled()
    reader = HeatReader(LATENCY)
    for at, (step, length) in enumerate(steps):
        filled.add(step, length)
        if at % 20 == 7:
            filled.read(reader, width, seconds, tgid)  # so that it remembers blocks, some of them merged since
    for _ in range(merges):
        filled.past.shrink()
    heat = filled.read(reader, width, seconds, tgid)
    shown = columns(heat)
    times = filled.past.times()
    ends = times["end"].tolist()
    edge = ends[len(ends) - len(heat.time.of_step)] - 1 if shown else ends[-1]  # just before its first step ends
    if not times["lasted"][0]:
        edge = max(edge, ends[0])
    for start, end, counts in shown:
        assert start <= end
        assert counts == by_slot(filled.past, Span(edge, end), tgid)
        edge = end
    assert edge == ends[-1]
    other = HeatReader(LATENCY)
    other._cell = reader._cell  # one that has read before keeps the length of its cells as long as they will do
    assert columns(filled.read(other, width, seconds, tgid)) == shown


def test_a_second_a_cell_until_the_end_that_is_asked_for() -> None:
    filled = Filled()
    for count in range(1, 31):
        filled.add({(1, 8): count})
    heat = HeatReader(LATENCY).read(filled.past, 20 * SECOND, 5)
    assert columns(heat) == [((n - 1) * SECOND, n * SECOND, {8: n}) for n in range(16, 21)]
    assert heat.time.cells.tolist() == [0, 1, 2, 3, 4]


def test_one_key_or_all() -> None:
    filled = Filled()
    filled.add({(1, 8): 5, (2, 8): 70, (2, 9): 1})
    reader = HeatReader(LATENCY)
    assert columns(filled.read(reader, 3))[-1][2] == {8: 75, 9: 1}
    assert columns(filled.read(reader, 3, tgid=2))[-1][2] == {8: 70, 9: 1}
    assert columns(filled.read(reader, 3, tgid=9))[-1][2] == {}


def test_a_first_step_that_counts_from_attaching_is_left_out() -> None:
    filled = Filled()
    filled.add({(1, 8): 1_000_000}, 0)
    filled.add({(1, 8): 3})
    assert columns(filled.read(HeatReader(LATENCY), 2)) == [(0, SECOND, {8: 3})]


def test_an_empty_past_has_no_columns() -> None:
    heat = Filled().read(HeatReader(LATENCY), 7)
    assert (len(heat.time), heat.extent, heat.time.cells.tolist()) == (0, None, [-1] * 7)


def test_a_tick_counts_the_newest_step_and_the_block_at_the_edge_only(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = Filled()
    for count in range(1, 600):
        filled.add({(1, 8): count})
    reader = HeatReader(LATENCY)
    filled.read(reader, 100, 500)
    filled.add({(1, 8): 600})
    counted: list[int] = []
    part = past_module.Block.part
    monkeypatch.setattr(past_module.Block, "part", lambda self, *of: counted.append(len(self)) or part(self, *of))
    heat = filled.read(reader, 100, 500)
    assert len(heat.time.of_step) >= 500
    assert sum(counted) <= 1 + 64
