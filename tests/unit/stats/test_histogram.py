import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.stats.histogram import Histogram, middles
from ebpftop.stats.slots import LIMIT, SLOTS, bounds, slot_of


def histogram(*values: int) -> Histogram:
    return Histogram.of([slot_of(value) for value in values], [1] * len(values))


def as_dict(h: Histogram) -> dict[int, int]:
    return dict(zip(h.slots.tolist(), h.counts.tolist(), strict=True))


def test_equal_slots_are_summed_and_empty_ones_left_out() -> None:
    h = Histogram.of([7, 3, 7, 9], [1, 2**63, 4, 0])
    assert as_dict(h) == {3: 2**63, 7: 5}
    assert h.count == 2**63 + 5


def test_merging_adds_slot_by_slot() -> None:
    assert as_dict(Histogram.of([1, 2], [10, 20]).merge(Histogram.of([2, 3], [1, 2]))) == {1: 10, 2: 21, 3: 2}


def test_quantiles_are_the_bounds_of_the_nearest_rank() -> None:
    values = [random.Random(7).randrange(1, 1 << 40) for _ in range(1009)]
    h = histogram(*values)
    for q in (0, 0.001, 0.07, 0.5, 0.9, 0.99, 0.999, 1):
        exact = sorted(values)[max(1, math.ceil(round(q * len(values), 9))) - 1]
        assert h.quantile(q) == bounds(slot_of(exact))


def test_a_decimal_quantile_is_exact() -> None:
    h = Histogram.of(range(100), [1] * 100)
    assert h.quantile(0.07) == bounds(6)  # in binary 0.07 * 100 is a little more than 7
    assert h.quantile(0.99) == bounds(98)


def test_quantiles_of_counts_that_floats_cannot_hold() -> None:
    h = Histogram.of([1, 2], [2**62 + 1, 2**62])
    assert h.quantile(0.5) == bounds(1)
    assert Histogram.of([1, 2], [2**62 - 1, 2**62 + 1]).quantile(0.5) == bounds(2)


def test_the_maximum_has_no_value_beyond() -> None:
    assert histogram(5, 1000, 2**64 - 1).maximum() == (15 << 60, LIMIT)


def test_of_nothing_nothing_is_said() -> None:
    h = Histogram.of([], [])
    assert (h.count, h.quantile(0.5), h.maximum(), h.rows(10)) == (0, None, None, [])


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_a_quantile_lies_between_0_and_1(q: float) -> None:
    with pytest.raises(ValueError, match="not a quantile"):
        histogram(1).quantile(q)


def test_rows_in_powers_of_two_include_the_empty_ones_between() -> None:
    assert histogram(5, 6, 40, 41, 63).rows(20, finest=0) == [(4, 8, 2), (8, 16, 0), (16, 32, 0), (32, 64, 3)]


def test_rows_are_as_fine_as_fits() -> None:
    h = histogram(16, 17, 20, 31)
    assert h.rows(8) == [
        (16, 18, 2), (18, 20, 0), (20, 22, 1), (22, 24, 0), (24, 26, 0), (26, 28, 0), (28, 30, 0), (30, 32, 1),
    ]  # fmt: skip
    assert h.rows(7) == [(16, 20, 2), (20, 24, 1), (24, 28, 0), (28, 32, 1)]
    assert h.rows(3) == [(16, 24, 3), (24, 32, 1)]
    assert h.rows(1) == [(16, 32, 4)]


def test_several_powers_of_two_share_a_row_when_they_must() -> None:
    h = histogram(0, 1, 3, 100, 2**64 - 1)
    rows = h.rows(10)
    assert rows[:2] == [(0, 64, 3), (64, 8192, 1)]
    assert rows[-1] == (1 << 62, LIMIT, 1)


@pytest.mark.parametrize("at_most", [1, 2, 3, 7, 10, 24, 65, 200, 600])
def test_rows_adjoin_stay_within_their_number_and_lose_nothing(at_most: int) -> None:
    h = Histogram.of(np.arange(SLOTS), np.arange(1, SLOTS + 1))
    rows = h.rows(at_most)
    assert len(rows) <= at_most
    assert rows[0][0] == 0
    assert rows[-1][1] == LIMIT
    assert all(left[1] == right[0] for left, right in pairwise(rows))
    assert sum(row[2] for row in rows) == h.count


def test_no_rows_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        histogram(1).rows(0)


@given(
    st.lists(st.dictionaries(st.integers(0, SLOTS - 2), st.integers(1, 1 << 40), max_size=5), max_size=6),
    st.floats(0, 1),
)
def test_middles_of_many_are_those_of_each(counts: list[dict[int, int]], q: float) -> None:
    each = [Histogram.of([*held], [*held.values()]) for held in counts]
    expected = [float("nan") if (found := one.quantile(q)) is None else (found[0] + found[1]) / 2 for one in each]
    assert np.array_equal(middles(each, q), expected, equal_nan=True)
