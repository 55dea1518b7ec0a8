"""Rows by process, when a process gets the pid of one that has ended."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest

from ebpftop.collector import displayed
from ebpftop.collector.census import Census
from ebpftop.collector.decode import Context
from ebpftop.collector.displayed import DisplayedMap
from ebpftop.collector.layout import dtype
from ebpftop.frames.columns import Array, unpack
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.ledger import Ledger

LAYOUT = MapLayout(
    name="calls",
    kind=9,  # LRU_HASH
    max_entries=64,
    key=Record(8, [Field("tgid", "<u4", 0), Field("call", "<u4", 4)]),
    value=Record(16, [Field("count", "<u8", 0), Field("longest", "<u8", 8)]),
)
VIEW = ViewInfo(
    name="calls",
    map="calls",
    show="table",
    title="",
    columns=[
        ColumnInfo(field="tgid", title="process", decode="process", role="key"),
        ColumnInfo(field="call", title="call", role="key"),
        ColumnInfo(field="count", title="calls", role="counter"),
        ColumnInfo(field="longest", title="longest", role="gauge"),
    ],
)
FIRST, SECOND, THIRD = 71, 72, 73  # identities of the processes with pid 7, one after the other
OTHER = 81


class Kernel:
    """The kernel's map."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], list[int]] = {}

    def read(self) -> tuple[Array, Array]:
        values = np.array([tuple(value) for value in self.rows.values()], dtype(LAYOUT.value))
        return np.array([*self.rows], dtype(LAYOUT.key)), values

    def delete(self, keys: Array) -> int:
        for key in keys.tolist():
            del self.rows[key]
        return len(keys)


class Processes(Census):
    """The latest identity of each pid is what a test says."""

    def __init__(self) -> None:
        super().__init__(lambda *_: "")
        self.latest = {7: FIRST, 8: OTHER}
        self.dead: set[int] = set()

    def numbers(self, tgids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        return np.array([self.latest[tgid] for tgid in tgids.tolist()], "<u4")

    def ended(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        return np.isin(numbers, list(self.dead))


class Traced:
    def __init__(self) -> None:
        self.kernel, self.census = Kernel(), Processes()
        self.map = DisplayedMap(3, LAYOUT, [VIEW], self.census, Context())
        self.map.reader = self.kernel

    def count(self, tgid: int, call: int, count: int, longest: int = 1) -> None:
        row = self.kernel.rows.setdefault((tgid, call), [0, 0])
        row[:] = row[0] + count, max(row[1], longest)

    def shown(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(count, longest) by (identity, call)."""
        columns = unpack(self.map.read())
        rows = zip(*(columns[name] for name in ("tgid", "call", "count", "longest")), strict=True)
        return {(identity, call): (count, longest) for identity, call, count, longest in rows}


def followed() -> Traced:
    """The first process was shown with 13 calls; the second one has made 3."""
    traced = Traced()
    traced.count(7, 1, 13)
    traced.shown()
    traced.census.latest[7] = SECOND
    traced.count(7, 1, 3)
    return traced


def test_the_next_process_counts_from_where_the_former_one_ended() -> None:
    traced = Traced()
    traced.count(7, 1, 13)
    traced.count(8, 1, 5)
    assert traced.shown() == {(FIRST, 1): (13, 1), (OTHER, 1): (5, 1)}
    traced.census.latest[7] = SECOND
    traced.count(7, 1, 3)
    assert traced.shown() == {(FIRST, 1): (13, 1), (SECOND, 1): (3, 1), (OTHER, 1): (5, 1)}
    traced.census.latest[7] = THIRD
    traced.count(7, 1, 2)
    traced.count(7, 2, 1)
    kept = {(FIRST, 1): (13, 1), (SECOND, 1): (3, 1)}
    assert traced.shown() == kept | {(THIRD, 1): (2, 1), (THIRD, 2): (1, 1), (OTHER, 1): (5, 1)}


def test_the_next_process_has_no_row_where_it_counts_nothing() -> None:
    traced = Traced()
    traced.count(7, 1, 13, longest=9)
    traced.shown()
    traced.census.latest[7] = SECOND
    traced.count(7, 2, 1)
    assert traced.shown() == {(FIRST, 1): (13, 9), (SECOND, 2): (1, 1)}


def test_what_a_dead_process_shares_with_a_new_one_is_not_deleted() -> None:
    """The new one begins between the reading in which the dead one's rows were final, and their deletion."""
    traced = Traced()
    traced.count(7, 1, 13)
    traced.census.dead.add(FIRST)
    traced.shown()

    def begin() -> None:
        traced.census.latest[7] = SECOND
        traced.count(7, 1, 3)
        traced.census.catch_up = lambda: None

    traced.map.look()
    traced.census.catch_up = begin
    traced.map.columns()
    assert traced.shown() == {(FIRST, 1): (13, 1), (SECOND, 1): (3, 1)}


def test_when_both_have_ended_their_keys_are_deleted() -> None:
    traced = followed()
    traced.census.dead.update((FIRST, SECOND))
    traced.shown()
    rows = {(FIRST, 1): (13, 1), (SECOND, 1): (3, 1)}
    assert traced.shown() == rows
    assert not traced.kernel.rows
    traced.census.latest[7] = THIRD
    traced.count(7, 1, 2)
    assert traced.shown() == rows | {(THIRD, 1): (2, 1)}


def test_a_key_that_the_kernel_evicted_begins_at_0() -> None:
    traced = followed()
    traced.shown()
    traced.kernel.rows.clear()
    assert traced.shown() == {(FIRST, 1): (13, 1)}
    traced.count(7, 1, 2)
    assert traced.shown() == {(FIRST, 1): (13, 1), (SECOND, 1): (2, 1)}


def test_what_ended_and_counts_again_keeps_its_row() -> None:
    """A request of a process that ended is served, or another process has its number and was not reported."""
    traced = Traced()
    traced.count(7, 1, 13)
    traced.census.dead.add(FIRST)
    traced.shown()
    traced.shown()
    assert not traced.kernel.rows
    traced.count(7, 1, 2)
    assert unpack(traced.map.read())["tgid"].tolist() == [FIRST]
    assert traced.shown() == {(FIRST, 1): (15, 1)}


def test_the_sum_is_exact_whatever_the_census_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of ended processes go to others. Some of those aren't reported, and not every snapshot is sent."""
    monkeypatch.setattr(displayed, "KEPT", 4)
    chance = random.Random(13)
    for _ in range(31):
        traced, made = Traced(), 0
        ledger = Ledger(["tgid", "call"], ["count"], process="tgid", limit=4)
        for number in range(1, 60):
            latest, dead = traced.census.latest, traced.census.dead
            for tgid in chance.choices(range(100, 110), k=5):
                happens = chance.choice(("ends", "begins", "counts", "counts"))
                if happens == "ends" and tgid in latest:
                    dead.add(latest[tgid])
                elif happens == "begins" and (tgid not in latest or latest[tgid] in dead):
                    latest[tgid] = max(latest.values()) + 1
                elif tgid in latest:
                    count = chance.choice((1, 2, 101))
                    traced.count(tgid, 1, count)
                    made += count
            rows = unpack(traced.map.read())
            if number == 59 or chance.random() < 0.8:
                ledger.update(rows)
        assert int(ledger.totals["count"].sum()) == made
