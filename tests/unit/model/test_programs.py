"""Two readings make a cost; one, or one that wasn't accounted, makes none."""

from __future__ import annotations

from typing import Any

import pytest

from ebpftop.frames.messages import Holder, Program, Programs
from ebpftop.model.programs import NOBODY, UNSEEN, Rated, owner, rated


def program(number: int, runs: int = 0, ns: int = 0, **more: Any) -> Program:
    return Program(
        id=number,
        name=f"p{number}",
        type="kprobe",
        tag="00",
        loaded_ns=0,
        run_time_ns=ns,
        run_count=runs,
        jited=0,
        translated=16,
        **more,
    )


def read(seconds: float, *programs: Program, since: float | None = 0) -> Programs:
    now = int(seconds * 1e9)
    began = None if since is None else int(since * 1e9)
    return Programs(monotonic_ns=now, boottime_ns=now, accounted_since_ns=began, programs=list(programs))


def test_a_cost_is_what_was_added_over_the_time_between() -> None:
    found = rated(read(10, program(1, 100, 5_000)), read(12, program(1, 300, 20_005_000)))
    assert found == [Rated(program(1, 300, 20_005_000), percent=1.0, rate=100.0, average_ns=100_000.0)]


def test_a_program_without_events_costs_nothing_and_has_no_average() -> None:
    (one,) = rated(read(1, program(1, 5, 50)), read(2, program(1, 5, 50)))
    assert (one.percent, one.rate, one.average_ns) == (0.0, 0.0, None)


def test_the_costliest_is_first_and_a_new_one_has_no_cost_yet() -> None:
    before = read(1, program(1), program(2))
    found = rated(before, read(2, program(1, 1, 10), program(2, 1, 20), program(3, 1, 30)))
    assert [(each.program.id, each.percent) for each in found] == [(2, 2e-6), (1, 1e-6), (3, None)]


@pytest.mark.parametrize("since", [None, 1.5, 3])
def test_there_is_no_cost_unless_all_between_was_accounted(since: float | None) -> None:
    now = read(2, program(1, 9, 90), since=since)
    assert rated(read(1, program(1)), now) == [Rated(program(1, 9, 90))]


def test_one_reading_makes_no_cost() -> None:
    assert rated(None, read(2, program(1, 9, 90))) == [Rated(program(1, 9, 90))]


def test_an_id_that_counts_less_is_another_program() -> None:
    (one,) = rated(read(1, program(1, 9, 90)), read(2, program(1, 3, 30)))
    assert one.rate is None


def test_the_owner_is_named_or_said_to_be_missing() -> None:
    four = [Holder(pid=number, comm=f"c{number}") for number in range(1, 5)]
    assert owner(program(1, holders=four[:1]), whole=True) == "c1 (1)"
    assert owner(program(1, holders=four), whole=False) == "c1 (1), c2 (2), 2 more"
    assert owner(program(1), whole=True) == NOBODY
    assert owner(program(1), whole=False) == UNSEEN
