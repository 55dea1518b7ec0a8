"""When runs are due: with each other."""

from __future__ import annotations

import pytest

from ebpftop.collector.together import first, following


def test_the_only_one_is_due_an_interval_after_it_began() -> None:
    assert first(100.0, 2.0, []) == 102.0


@pytest.mark.parametrize(("others", "due"), [(101.0, 101.0), (100.75, 100.75), (100.25, 101.25)])
def test_one_joins_those_of_its_interval_but_not_before_half_of_it(others: float, due: float) -> None:
    assert first(100.0, 1.0, [(5.0, 103.0), (1.0, others)]) == due


def test_one_does_not_join_those_of_another_interval_or_those_that_are_late() -> None:
    assert first(100.0, 1.0, [(5.0, 103.0), (1.0, 99.0)]) == 101.0


def test_those_that_are_due_together_stay_together_even_late() -> None:
    assert [following(due, 1.0, 100.01) for due in (100.0, 100.0)] == [101.0, 101.0]
    assert [following(due, 1.0, 109.5) for due in (100.0, 101.0)] == [110.0, 110.0]
