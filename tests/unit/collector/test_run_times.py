"""When the kernel accounts run times: all the time, or a tenth of it where programs run often."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from ebpftop.collector import account, run_times
from ebpftop.collector.account import Account, Rate
from ebpftop.collector.run_times import AGAIN, BUSY, CLOSELY, WINDOW, RunTimes
from ebpftop.kernel.program_info import Spent


class Played:
    """The clock, root, and a program that runs `rate` times a second, counted while a descriptor is open.

    on: for how many seconds that was; switched: how often it began. stopped: root doesn't answer.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.rate, self.counted, self.on, self.near = 100.0, 0.0, 0.0, 0.0, False
        self.asked = self.switched = 0
        self.stopped = False
        for module in (account, run_times):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
            monkeypatch.setattr(module.time, "monotonic_ns", lambda: int(self.now * 1e9))
        monkeypatch.setattr(account, "spent", lambda _: Spent(int(self.counted) * 50, int(self.counted)))
        monkeypatch.setattr(run_times.os, "close", self._close)
        self._open = False
        self.account = Account({"on_exit": 3}, {})
        self.times = RunTimes(self._ask, lambda: {1: self.account}, self._is_near, lambda low, high: (low + high) / 2)

    def _ask(self) -> None:
        self.asked += 1

    def _close(self, _: int) -> None:
        self._open = False

    def _is_near(self, rates: Mapping[int, Rate]) -> bool:
        return self.near

    def passes(self, seconds: float) -> None:
        """In steps, with what the collector's loop does."""
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            if self._open:
                self.counted += self.rate * 0.01
                self.on += 0.01
            self.answer()
            self.times.tick()
            if round(self.now * 100) % 100 == 0:
                self.times.second()
                self.times.switch(True)

    def answer(self) -> None:
        while self.asked > self.switched and not self.stopped:
            self.switched += 1
            self.opened()

    def opened(self, *, kept: bool = False) -> None:
        self.times.opened(os.O_RDONLY, kept=kept)
        self._open = True  # after the one before was closed


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    one = Played(monkeypatch)
    one.times.closely()
    one.times.switch(True)
    one.answer()
    return one


def test_programs_that_run_seldom_are_always_accounted(played: Played) -> None:
    played.rate = BUSY * 0.9
    played.passes(20)
    assert (played.switched, round(played.on)) == (1, 20)
    assert played.times.since is not None
    assert not played.account.estimated


def test_busy_ones_are_for_a_tenth_of_the_time_after_the_first_seconds(played: Played) -> None:
    played.rate = BUSY * 10
    played.passes(CLOSELY - 0.1)
    assert not played.account.estimated
    played.passes(2.1)  # until the second is over
    assert played.account.estimated
    assert played.times.on
    assert played.times.since is None
    on, switched = played.on, played.switched
    played.passes(100)
    assert 95 <= played.switched - switched <= 102
    assert played.on - on == pytest.approx(100 * WINDOW, abs=2)
    played.account.look()
    (_, runs) = played.account.sums()["on_exit"]
    assert runs == pytest.approx(played.rate * (100 + CLOSELY + 2), rel=0.02)


def test_they_are_again_all_the_time_once_they_run_seldom_or_somebody_looks(played: Played) -> None:
    played.rate = BUSY * 10
    played.passes(10)
    assert played.times.since is None
    played.times.switch(True, always=True)
    played.passes(0.2)
    assert played.times.since is not None
    played.passes(10)
    assert played.times.since is None
    played.rate = BUSY * 0.4
    played.passes(3)
    assert played.times.since is not None


def test_near_a_limit_all_is_counted(played: Played) -> None:
    played.rate = BUSY * 10
    played.passes(10)
    played.near = True
    played.passes(2)
    assert played.times.since is not None
    played.near = False
    on = played.on
    played.passes(AGAIN - 1)
    assert played.on - on == pytest.approx(AGAIN - 1)
    played.passes(3)
    assert played.times.since is None


def test_a_run_that_begins_in_a_pause_is_counted_at_once(played: Played) -> None:
    played.rate = BUSY * 10
    played.passes(10)
    played.times.closely()
    played.passes(0.1)
    played.times.switch(True)
    played.answer()
    assert played.times.since is not None


@pytest.mark.parametrize("asked", [False, True])
def test_while_root_is_stopped_all_is_counted(played: Played, asked: bool) -> None:
    played.rate = BUSY * 10
    played.passes(10)
    while asked and played.asked == played.switched:  # it stops before it answers
        played.now += 0.01
        played.times.tick()
    played.stopped = True
    on = played.on
    played.opened(kept=True)
    played.passes(50)
    assert played.on - on == pytest.approx(50)
    assert played.asked == played.switched + 1
    assert played.times.since is not None
    played.stopped = False
    on = played.on
    played.passes(100)
    assert played.on - on == pytest.approx(100 * WINDOW, abs=2)


def test_what_is_off_stays_off_while_root_is_stopped(played: Played) -> None:
    played.times.switch(False)
    played.opened(kept=True)
    played.times.switch(False)
    asked = played.asked
    played.times.second()
    assert (played.times.on, played.asked) == (False, asked)


def test_off_is_off_and_estimates_stand_still(played: Played) -> None:
    played.rate = BUSY * 10
    played.passes(10)
    asked = played.asked
    played.times.switch(False)
    assert not played.times.on
    played.account.look()
    before = played.account.sums()
    played.now += 50
    played.times.tick()
    played.account.look()
    assert (played.account.sums(), played.asked) == (before, asked)


def test_where_root_may_not_it_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Played(monkeypatch)
    one.times.switch(True)
    one.times.refused()
    for _ in range(3):
        one.now += 1.0
        one.times.switch(True)
    assert (one.asked, one.times.on) == (1, False)
