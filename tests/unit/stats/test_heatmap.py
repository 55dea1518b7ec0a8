"""Columns of time, rows of values, and the levels of counts per second."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.rows.keys import Array
from ebpftop.stats.heatmap import (
    NS,
    Heatmap,
    Timeline,
    cell_length,
    counted,
    level_of,
    leveled,
    row_starts,
    thresholds,
)
from ebpftop.stats.histogram import Histogram
from ebpftop.stats.slots import SLOTS

TIMES = np.dtype([("start", "<i8"), ("end", "<i8"), ("lasted", "<i8"), ("realtime", "<i8")])


def steps(*lengths: float, start: float = 0) -> Array:
    """Steps that follow each other, of so many seconds each."""
    ends = start + np.cumsum(lengths)
    rows = [(round((end - each) * NS), round(end * NS)) for end, each in zip(ends.tolist(), lengths, strict=True)]
    return np.array([(first, last, last - first, last) for first, last in rows], TIMES)


def heat(times: Array, cell: float, width: int, counts: Sequence[tuple[int, int, int]]) -> Heatmap:
    """From (step, slot, count)."""
    timeline = Timeline.of(times, round(cell * NS), width)
    return counted(timeline, [tuple(np.array(counts, np.int64).reshape(-1, 3).T)])


@pytest.mark.parametrize(
    ("seconds", "width", "cell"),
    [
        (0, 4, 1.0),
        (0, 11, 0.5),
        (0, 1, 1.0),
        (0, 999, 1 / 8),
        (100, 100, 1.0),
        (101, 100, 2.0),
        (250, 100, 3.0),
        (30, 100, 1 / 3),
    ],
)
def test_a_cell_is_some_steps_or_part_of_one(seconds: float, width: int, cell: float) -> None:
    lengths = np.array([1.0004, 0.9993, 1.0007, 0.9999]) * NS
    assert cell_length(lengths.astype(np.int64), seconds, width) == round(cell * NS)


def test_a_cell_stays_as_long_as_it_was_while_that_is_about_right() -> None:
    second = np.array([NS])
    assert cell_length(second, 299, 100, 3 * NS) == 3 * NS
    assert cell_length(second, 301, 100, 3 * NS) == 4 * NS
    assert cell_length(second, 199, 100, 3 * NS) == 2 * NS


def test_a_step_as_long_as_a_cell_is_a_column_wherever_its_ends_lie() -> None:
    times = steps(0.999, 1.002, 0.998, 1.002, 0.998, start=7)  # two end in one second, none in the next
    time = Timeline.of(times, NS, 5)
    assert time.of_step.tolist() == time.cells.tolist() == [0, 1, 2, 3, 4]


def test_a_long_step_is_a_wide_column_and_short_ones_share_one() -> None:
    time = Timeline.of(steps(4, 1, 1, 1, 1, 2), 2 * NS, 6)
    assert time.of_step.tolist() == [0, 1, 1, 2, 2, 3]
    assert time.cells.tolist() == [-1, 0, 0, 1, 2, 3]
    assert (time.end // NS).tolist() == [4, 6, 8, 10]
    assert (time.lasted // NS).tolist() == [4, 2, 2, 2]


def test_a_step_too_short_to_be_seen_belongs_to_the_next_column() -> None:
    time = Timeline.of(steps(0, 1, 0.1, 1), NS, 2)
    assert time.of_step.tolist() == [0, 0, 1, 1]
    assert time.cells.tolist() == [0, 1]
    assert time.lasted.tolist() == [NS, 1.1 * NS]


def test_steps_that_end_at_once_share_a_column() -> None:
    assert Timeline.of(steps(1, 0, 1), NS, 2).of_step.tolist() == [0, 0, 1]


def test_time_without_a_step_is_no_column() -> None:
    times = np.concatenate((steps(1, 1), steps(1, start=4)))
    assert Timeline.of(times, NS, 6).cells.tolist() == [-1, 0, 1, -1, -1, 2]


def test_columns_stay_in_their_cells_while_time_goes_on() -> None:
    lengths = [1.0 + (-1) ** n * 0.01 for n in range(40)]
    before = Timeline.of(steps(*lengths[:-1], start=0.3), NS, 20)
    after = Timeline.of(steps(*lengths, start=0.3), NS, 20)
    ends = [before.end[at] for at in before.cells[1:]]
    assert [after.end[at] for at in after.cells[:-1]] == ends


def test_colour_is_by_rate_and_so_equal_for_columns_of_unequal_length() -> None:
    shown = heat(steps(4, 1, 1), 1, 6, [(0, 9, 40), (1, 9, 10), (2, 9, 1), (2, 3, 100)])
    rates = shown.rates(shown.merged(np.array([0, 8, 16])))
    assert rates.tolist() == [[0.0, 0.0, 100.0], [10.0, 10.0, 1.0]]
    levels = leveled(rates, thresholds(rates, 7), 7)
    assert levels[1, 0] == levels[1, 1]
    assert levels[0].tolist() == [0, 0, 7]
    assert levels[1, 2] == 1


def test_a_rate_that_was_not_observed_is_unknown() -> None:
    shown = heat(steps(0), 1, 1, [(0, 9, 4)])
    assert math.isnan(shown.rates(shown.merged(np.array([0, 16])))[0, 0])
    assert shown.totals.tolist() == [4]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, SLOTS - 1), st.integers(1, 1 << 40)), max_size=30))
def test_percentiles_are_those_of_each_columns_histogram(counts: list[tuple[int, int, int]]) -> None:
    shown = heat(steps(1, 1, 1, 1), 1, 4, counts)
    for q in (0.5, 0.99):
        slots = shown.quantile(q)
        for column in range(4):
            mine = [(slot, count) for step, slot, count in counts if step == column]
            alone = Histogram.of([slot for slot, _ in mine], [count for _, count in mine])
            at = int(slots[column])
            expected = alone.quantile(q)
            assert expected is None if at < 0 else expected == Histogram.of([at], [1]).maximum()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, SLOTS - 1), st.integers(1, 1 << 40)), min_size=1),
    st.integers(1, 40),
)
def test_rows_lose_nothing(counts: list[tuple[int, int, int]], at_most: int) -> None:
    shown = heat(steps(1, 1, 1, 1), 1, 4, counts)
    assert shown.extent is not None
    starts = row_starts(*shown.extent, at_most)
    merged = shown.merged(starts)
    assert len(merged) == len(starts) - 1 <= at_most
    assert merged.sum(axis=0).tolist() == shown.totals.tolist()
    whole = shown.count(1, 2, int(starts[0]), int(starts[-1]))
    assert whole == (int(merged[:, 1:3].sum()), int(shown.totals[1:3].sum()))


def test_rows_begin_at_the_same_slots_whatever_the_first_is() -> None:
    assert row_starts(20, 99, 18).tolist() == [*range(20, 105, 5)]
    assert row_starts(17, 99, 18).tolist() == [*range(15, 105, 5)]
    assert row_starts(0, SLOTS - 1, 1).tolist() == [0, SLOTS]


def test_a_region_counts_what_is_in_it_and_all_of_its_time() -> None:
    shown = heat(steps(1, 1, 1), 1, 3, [(0, 5, 1), (1, 5, 10), (1, 6, 100), (2, 7, 1000), (2, 9, 10_000)])
    assert shown.count(1, 2, 6, 8) == (1100, 11_110)
    assert shown.count(0, 0, 6, 8) == (0, 1)


@pytest.mark.parametrize(
    ("rates", "least"),
    [
        ([0.0, 0.9996, 3.0, 40.0], [1, 2, 5, 10, 20]),
        ([2.1, 900.0], [1, 3, 10, 30, 100, 300]),
        ([1.0, 2000.0], [1, 3, 10, 30, 100, 300, 1000]),
        ([0.5, 4000.0], [0.1, 1, 10, 100, 1000]),
        ([7.0], [5]),
        ([1e-3, 1e7], [10, 100, 1000, 10_000, 100_000, 1e6, 1e7]),
        ([0.0, math.nan], []),
    ],
)
def test_levels_begin_at_round_rates(rates: list[float], least: list[float]) -> None:
    assert thresholds(np.array(rates), 7) == pytest.approx(least)


def test_levels_spread_over_the_ramp_from_its_least_to_its_greatest() -> None:
    assert [level_of(at, 7, 7) for at in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    assert [level_of(at, 3, 7) for at in range(3)] == [1, 4, 7]
    assert level_of(0, 1, 7) == 4
    rates = np.array([math.nan, 0.0, 0.2, 0.96, 10.0, 9e9])
    assert leveled(rates, [1, 10, 100], 7).tolist() == [0, 0, 1, 1, 4, 7]
