"""When a painting's flight ends, and which terminal is slow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ebpftop.ui.app.flow import AGAIN, AHEAD, Flow
from ebpftop.ui.screens.state import LATE


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flow(clock: Clock) -> Flow:
    """Of a terminal that answers."""
    flow = Flow(clock)
    flow.painted(10)
    flow.answered(flow.number)
    return flow


def fly(flow: Flow, clock: Clock, size: int, seconds: float) -> None:
    flow.painted(size)
    clock.now += seconds
    flow.answered(flow.number)


def test_a_terminal_that_never_answered_has_taken_what_the_kernel_has() -> None:
    flow = Flow()
    flow.painted(AHEAD + 1)
    assert flow.full
    assert flow.written()
    assert not flow.full
    assert not flow.written()


def test_one_that_answers_has_taken_a_painting_when_it_answers(flow: Flow) -> None:
    flow.painted(AHEAD + 1)
    assert not flow.written()
    assert flow.full
    assert flow.answered(flow.number)
    assert not flow.full


def test_small_paintings_follow_each_other_up_to_a_bound(flow: Flow) -> None:
    flow.painted(AHEAD // 2)
    first = flow.number
    flow.painted(AHEAD // 2)
    assert not flow.full
    flow.painted(1)
    assert flow.full
    assert flow.answered(first)
    assert not flow.full


def test_no_more_are_on_their_way_than_have_numbers(flow: Flow) -> None:
    sent = []
    while not flow.full:
        flow.painted(1)
        sent.append(flow.number)
    assert len(set(sent)) == len(sent) == 7


def test_an_answer_is_one_to_all_before_it(flow: Flow) -> None:
    flow.painted(AHEAD // 2)
    flow.painted(AHEAD)
    assert flow.answered(flow.number)
    flow.painted(AHEAD)
    assert not flow.full


def test_a_second_answer_to_an_earlier_painting_ends_nothing(flow: Flow) -> None:
    flow.painted(AHEAD + 1)
    earlier = flow.number
    assert flow.answered(earlier)
    flow.painted(AHEAD + 1)
    assert not flow.answered(earlier)
    assert flow.full


def test_a_small_painting_that_takes_long_changes_what_the_next_one_says(flow: Flow, clock: Clock) -> None:
    flow.painted(1)
    clock.now += LATE
    assert flow.answered(flow.number)
    assert flow.slow


def test_a_slow_terminal_gets_one_painting_at_a_time(flow: Flow, clock: Clock) -> None:
    fly(flow, clock, 8000, 2 * LATE)
    assert not flow.full
    flow.painted(1)
    assert flow.full


def test_numbers_differ_from_one_painting_to_the_next_and_fit_on_the_narrowest_screen(flow: Flow) -> None:
    numbers = []
    for _ in range(50):
        flow.painted(10)
        numbers.append(flow.number)
    assert all(one != other for one, other in pairwise(numbers))
    assert {*numbers} == {*range(8)}


def test_it_asks_again_after_a_while_and_not_without_a_need(flow: Flow, clock: Clock) -> None:
    clock.now += 2 * AGAIN
    assert not flow.asks_again()
    flow.painted(10)
    assert not flow.asks_again()
    clock.now += AGAIN
    assert flow.asks_again()
    assert not flow.asks_again()
    clock.now += AGAIN
    assert flow.asks_again()


def test_a_terminal_that_never_answered_is_not_asked_again(clock: Clock) -> None:
    flow = Flow(clock)
    flow.painted(10)
    clock.now += AGAIN
    assert not flow.asks_again()


def test_a_terminal_is_slow_from_a_late_painting_until_it_takes_as_much_in_time(flow: Flow, clock: Clock) -> None:
    fly(flow, clock, 8000, LATE - 0.1)
    assert not flow.slow
    fly(flow, clock, 8000, 2 * LATE)
    assert flow.slow
    fly(flow, clock, 8000, 0.9 * LATE)  # just in time is not enough
    assert flow.slow
    fly(flow, clock, 8000, 0.1 * LATE)
    assert not flow.slow


def test_small_paintings_show_only_together_that_it_is_quick_again(flow: Flow, clock: Clock) -> None:
    fly(flow, clock, 8000, 2 * LATE)
    for _ in range(9):
        fly(flow, clock, 200, 0.01)
        assert flow.slow
    fly(flow, clock, 200, 0.01)
    assert not flow.slow


def test_a_long_way_is_not_slowness(clock: Clock) -> None:
    flow = Flow(clock)
    fly(flow, clock, 10, 0.5)
    fly(flow, clock, 8000, 2 * LATE)
    for _ in range(10):
        fly(flow, clock, 200, 0.51)
    assert not flow.slow
