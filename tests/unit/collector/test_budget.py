"""When the programs are over their budget, and who pays."""

from __future__ import annotations

from ebpftop.collector.account import Rate
from ebpftop.collector.budget import Budget, Limit, Spent
from ebpftop.frames.messages import ParamInfo
from tests.support.frames import probe

MS = 1_000_000


def test_the_costliest_run_is_named_once_all_take_too_much_of_five_seconds() -> None:
    budget = Budget(25.0)
    assert budget.look(100.0, {1: 0, 2: 7_000 * MS}, {}) is None
    spent = budget.look(101.0, {1: 400 * MS, 2: 7_800 * MS}, {})
    assert spent == Spent(24.0, 2, 16.0, 0.0)
    assert not budget.is_over(spent)
    spent = budget.look(102.0, {1: 500 * MS, 2: 7_800 * MS}, {})
    assert spent == Spent(26.0, 2, 16.0, 0.0)
    assert budget.is_over(spent)
    spent = budget.look(103.0, {1: 500 * MS}, {})  # 2 was detached: what it took counts no more
    assert spent == Spent(10.0, 1, 10.0, 0.0)


def test_what_is_older_than_five_seconds_is_forgotten() -> None:
    budget = Budget(25.0)
    budget.look(0.0, {1: 0}, {})
    assert budget.look(1.0, {1: 1_000 * MS}, {}) == Spent(20.0, 1, 20.0, 0.0)
    for second in range(2, 6):
        assert budget.look(second, {1: 1_000 * MS}, {}) == Spent(20.0, 1, 20.0, 0.0)
    assert budget.look(6.0, {1: 1_000 * MS}, {}) == Spent(0.0, 1, 0.0, 0.0)


def test_a_late_look_is_spread_over_the_time_it_covers() -> None:
    budget = Budget(25.0)
    budget.look(0.0, {1: 0}, {})
    assert budget.look(10.0, {1: 2_000 * MS}, {}) == Spent(20.0, 1, 20.0, 0.0)


def test_a_run_counts_from_its_first_look() -> None:
    budget = Budget(25.0)
    budget.look(0.0, {}, {})
    assert budget.look(1.0, {1: 9_000 * MS}, {}) == Spent(0.0, 1, 0.0, 0.0)


def test_zero_is_no_limit_and_the_warning_comes_once() -> None:
    budget = Budget(0.0)
    assert not budget.is_over(Spent(90.0, 1, 90.0, 0.0))
    said = [budget.warns(Spent(0.0, 1, 0.0, percent)) for percent in (4.9, 5.0, 90.0, 4.0, 6.0)]
    assert said == [False, True, False, False, True]


def test_the_reason_has_numbers_that_say_something_and_the_parameters_that_narrow() -> None:
    pid, kind = (ParamInfo(name=name, type=type_, help="") for name, type_ in (("pid", "pid"), ("kind", "enum")))
    reason = Budget(25.0).reason(Spent(40.4, 1, 31.2, 0.0), probe("cpu/some", params=[pid, kind]), {})
    assert reason == (
        "it took 31% of a CPU and all probes together 40%, but --budget allows 25%: "
        "narrow it with pid, or raise --budget"
    )
    small = Budget(0.01).reason(Spent(0.234, 1, 0.02, 0.0), probe("cpu/some"), {})
    assert small == "it took 0.02% of a CPU and all probes together 0.23%, but --budget allows 0.01%: raise --budget"


def test_a_parameter_that_is_given_already_is_not_recommended() -> None:
    pid = ParamInfo(name="pid", type="pid", help="")
    reason = Budget(25.0).reason(Spent(40.0, 1, 31.0, 0.0), probe("cpu/some", params=[pid]), {"pid": "7"})
    assert reason.endswith("but --budget allows 25%: raise --budget")


def test_a_run_is_beyond_its_limit_once_its_programs_ran_more_often_in_five_seconds() -> None:
    limit = Limit.of([ParamInfo(name="pid", type="pid"), ParamInfo(name="limit", type="rate", default="1000")], {})
    assert limit == Limit("limit", 1000)
    budget, limits = Budget(0.0), {2: limit}
    assert budget.beyond(10.0, {1: 0, 2: 500}, limits) == {}
    assert budget.beyond(11.0, {1: 90_000, 2: 3_500}, limits) == {}  # 600 a second; 1 has no limit
    assert budget.beyond(12.0, {1: 180_000, 2: 5_500}, limits) == {}  # exactly 1000
    assert budget.beyond(13.0, {1: 180_000, 2: 5_505}, limits) == {
        2: "its programs ran 1,001 times a second, more than its limit of 1,000; raise that with -p limit=N"
    }


def test_the_given_limit_counts_and_none_is_none() -> None:
    params = [ParamInfo(name="limit", type="rate", default="1000")]
    assert Limit.of(params, {"limit": "0x10"}) == Limit("limit", 16)
    assert Limit.of(params, {"limit": "0"}) is None
    assert Limit.of([ParamInfo(name="room", type="int", default="7")], {}) is None


def test_the_warning_is_about_the_estimate_and_detaching_is_not() -> None:
    budget = Budget(25.0)
    budget.look(0.0, {1: 0}, {1: 0})
    spent = budget.look(1.0, {1: 200 * MS}, {1: 2_000 * MS})
    assert spent == Spent(4.0, 1, 4.0, 40.0)
    assert budget.warns(spent)
    assert not budget.is_over(spent)


def test_rates_are_near_a_budget_or_a_limit_before_they_reach_it() -> None:
    budget, limits = Budget(25.0), {2: Limit("limit", 1000)}
    near = [budget.is_near({1: Rate(ns, 9e9), 2: Rate(1e8, 0.0)}, limits) for ns in (0.0, 0.9e8, 1e8, 3e8)]
    assert near == [False, False, True, True]  # of 1e9 ns
    assert [budget.is_near({2: Rate(0.0, runs)}, limits) for runs in (799.0, 800.0)] == [False, True]
    assert not Budget(0.0).is_near({1: Rate(1e9, 1e6)}, limits)
