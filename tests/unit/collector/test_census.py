"""Identities of processes that ended before anyone looked."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ebpftop.collector import census as module
from ebpftop.collector import census_probe
from ebpftop.collector.census import Census
from ebpftop.collector.census_probe import CensusProbe
from ebpftop.collector.decode import Context
from ebpftop.frames.messages import UNKNOWN, Attached, Losses
from ebpftop.handover.protocol import Handover
from tests.support.processes import eventually

NOBODY = 1 << 22  # above the highest pid there can be


def census() -> Census:
    return Census(lambda number, hierarchy: "")


def test_a_process_the_kernel_did_not_tell_has_no_name() -> None:
    known = census()
    numbers = known.numbers(np.array([UNKNOWN, 0], "<u4"))
    assert numbers[0] == UNKNOWN
    assert [process.comm for process in known.changes()] == ["[idle]"]
    assert known.ended(numbers).tolist() == [False, False]


def test_a_process_that_was_gone_before_anyone_looked_says_so() -> None:
    known = census()
    numbers = known.numbers(np.array([NOBODY], "<u4"))
    assert [(process.tgid, process.comm) for process in known.changes()] == [(NOBODY, "(ended unseen)")]
    assert known.ended(numbers).tolist() == [True]


def test_the_supervisor_and_its_children_are_ebpftops_own() -> None:
    census = Census(lambda number, hierarchy: "", os.getpid())
    with subprocess.Popen(["sleep", "60"]) as child:
        census.numbers(np.array([os.getpid(), child.pid, 1]))
        child.kill()
    assert {each.tgid: each.own for each in census.changes()} == {os.getpid(): True, child.pid: True, 1: False}
    nobody = Census(lambda number, hierarchy: "")
    nobody.numbers(np.array([0, os.getpid()]))
    assert not any(each.own for each in nobody.changes())


BORN, ENDED = 1, 2
NOTHING = np.zeros(0, [("time", "<u8")])


def record(kind: int, tgid: int, start: int, time: int, comm: bytes = b"worker", nspid: int = 0) -> npt.NDArray[Any]:
    fields = ["time", "start", "tgid", "ppid", "uid", "type", "cgroup", "hierarchy", "nspid"]
    dtype = np.dtype([*((name, "<u8") for name in fields), ("comm", "S16"), ("parent_comm", "S16")])
    return np.array([(time, start, tgid, 1, 0, kind, 0, 0, nspid, comm, b"parent")], dtype)


def first_name(known: Census, tgid: int) -> str:
    """The name of a process when it is first shown."""
    known.numbers(np.array([tgid], "<u4"))
    return next(process.comm for process in known.changes() if process.tgid == tgid)


def test_who_lived_when_the_census_was_requested_has_a_name_though_it_ends_before_it_is_attached() -> None:
    known = census()
    sleeper = subprocess.Popen(["sleep", "60"])
    probe = CensusProbe(known, Context(), lambda _: None, lambda _: None)
    probe.wanted()
    later = subprocess.Popen(["sleep", "60"])
    probe.take()
    for process in (sleeper, later):
        process.kill()
        process.wait()
    probe.take()
    for process in (sleeper, later):
        assert first_name(known, process.pid) == "sleep"
        assert known.ended(known.numbers(np.array([process.pid], "<u4"))).tolist() == [True]


def test_after_it_failed_nobody_is_looked_up_in_advance() -> None:
    known = census()
    probe = CensusProbe(known, Context(), lambda _: None, lambda _: None)
    probe.wanted()
    probe.failed("no BTF")
    late = subprocess.Popen(["sleep", "60"])
    probe.take()
    late.kill()
    late.wait()
    assert first_name(known, late.pid) == "(ended unseen)"


@pytest.mark.parametrize(
    "then", ["exec -a other sleep 60", "exec sh -c 'echo; read last'", "echo first > /proc/$$/comm"]
)
def test_what_changed_before_the_kernel_was_asked_is_found(then: str) -> None:
    known = census()
    with subprocess.Popen(
        ["bash", "-c", f"read go; {then}; echo; read end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        (number,) = known.numbers(np.array([process.pid], "<u4"))
        assert known.changes()[0].comm == "bash"
        process.stdin.write(b"\n")
        process.stdin.flush()
        if "sleep" in then:
            eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "it executes")
        else:
            process.stdout.readline()
        known.verify()
        found = {each.id: each for each in known.changes()}[number]
        assert found.comm == Path(f"/proc/{process.pid}/comm").read_text().removesuffix("\n") != "bash"
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert found.command == command.removesuffix(b"\0").replace(b"\0", b" ").decode()
        process.kill()


def test_who_has_the_number_of_one_that_ended_unseen_is_another() -> None:
    known = census()
    (unseen,) = known.numbers(np.array([NOBODY], "<u4"))
    known.attached = True
    late = 1 << 62
    known.take(record(BORN, NOBODY, late, late), NOTHING)
    (number,) = known.numbers(np.array([NOBODY], "<u4"))
    assert number != unseen
    assert known.ended(np.array([unseen, number], "<u4")).tolist() == [True, False]


def test_a_record_that_comes_late_names_the_one_that_ended_unseen() -> None:
    known = census()
    (unseen,) = known.numbers(np.array([NOBODY], "<u4"))
    known.attached = True
    known.take(record(BORN, NOBODY, 5, 5), NOTHING)
    assert known.numbers(np.array([NOBODY], "<u4")).tolist() == [unseen]
    assert [process.comm for process in known.changes()] == ["worker"]


def test_who_has_the_pid_of_one_whose_end_was_lost_is_another() -> None:
    known = census()
    known.attached = True
    numbers: list[int] = []
    for start in (10**9, 2 * 10**9):
        known.take(record(BORN, NOBODY, start, start), NOTHING)
        numbers += known.numbers(np.array([NOBODY], "<u4")).tolist()
    assert known.ended(np.array(numbers, "<u4")).tolist() == [True, False]
    assert known.alive(numbers[0]) is None
    assert {each.id for each in known.changes() if each.ended_ns} == {numbers[0]}


def test_who_is_described_again_does_not_get_the_name_of_another_with_its_pid() -> None:
    known = census()
    known.attached = True
    known.take(record(BORN, os.getpid(), 5, 5, b"cc1"), NOTHING)
    (number,) = known.numbers(np.array([os.getpid()], "<u4"))
    known.refresh([number])
    assert [process.comm for process in known.changes()] == ["cc1"]


class Losing:
    """The attached census, whose rings are empty because `lost` records found no room."""

    def __init__(self) -> None:
        self.lost = 0
        names = ("lives", "execs", "groups")
        self.rings = [SimpleNamespace(name=name) for name in names]
        self.take = lambda: [record(BORN, 1, 1, 1)[:0], NOTHING, NOTHING]

    def losses(self) -> Losses:
        return Losses(lost=self.lost)


def test_what_lost_records_would_have_said_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known, losing, told = census(), Losing(), list[str]()
    monkeypatch.setattr(census_probe, "AttachedProbe", lambda *_: losing)
    probe = CensusProbe(known, Context(), lambda _: None, told.append)
    outcome = Attached(variant="raw", meaning="exact", views=[], attached=[])
    probe.attached(Handover(outcome=outcome, maps=[], programs=[]), [])
    known.take(record(BORN, os.getpid(), 5, 5, b"cc1"), NOTHING)
    known.take(record(BORN, NOBODY, 5, 5, b"cc1"), NOTHING)
    numbers = known.numbers(np.array([os.getpid(), NOBODY], "<u4"))
    probe.repair(100.0)
    assert known.ended(numbers).tolist() == [False, False]
    for losing.lost, now in ((3, 105.0), (3, 110.0), (4, 115.0)):
        probe.repair(now)
        assert known.ended(numbers).tolist() == [True, True]
    (number,) = known.numbers(np.array([os.getpid()], "<u4"))
    assert (number in numbers, known.alive(number) is None) == (False, False)
    assert told == ["too many processes start: some were not reported, so short-lived ones may have no name"]


def test_the_dead_keep_their_names_until_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_DEAD", 3)
    known = census()
    known.attached = True
    asked: list[int] = []

    def shown() -> set[int]:
        asked.append(tgid)
        return set()

    for tgid in range(NOBODY, NOBODY + 5):
        known.take(record(BORN, tgid, 5, 5, b"%d" % tgid), NOTHING)
        known.take(record(ENDED, tgid, 5, 6, b"%d" % tgid), NOTHING)
        if tgid < NOBODY + 3:
            known.forget(shown)
    assert asked == []  # so far there aren't many
    known.forget(shown)
    assert len(asked) == 1
    names = [first_name(known, tgid) for tgid in range(NOBODY, NOBODY + 5)]
    assert names == ["(ended unseen)"] * 2 + [str(tgid) for tgid in range(NOBODY + 2, NOBODY + 5)]


def test_in_a_storm_the_oldest_are_forgotten_at_once_but_for_those_that_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MANY_DEAD", 3)
    monkeypatch.setattr(module, "MOST_DEAD", 5)
    known = census()
    known.attached = True
    numbers: list[int] = []
    for tgid in range(NOBODY, NOBODY + 9):
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        known.take(record(BORN, tgid, now, now), NOTHING)
        known.take(record(ENDED, tgid, now, now), NOTHING)
        numbers += known.numbers(np.array([tgid], "<u4")).tolist()
    known.forget(lambda: {numbers[0]})
    assert [number in known for number in numbers] == [True, *[False] * 3, *[True] * 5]
    assert known.ended(np.array([numbers[0]], "<u4")).tolist() == [True]
