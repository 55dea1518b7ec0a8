import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.stats.strip import NS, ROWS, Strip

BEGIN = 1000 * NS


def test_each_sample_is_in_the_cell_of_its_second_and_the_part_of_it() -> None:
    times = np.array([0, 199_999_999, 200_000_000, 999_999_999, NS, 3 * NS - 1, 3 * NS, -1]) + BEGIN
    strip = Strip.of(times, BEGIN, 3, 5)
    assert strip.counts.tolist() == [[2, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1]]
    assert (strip.part, strip.columns, strip.end) == (NS // 5, 3, BEGIN + 3 * NS)


def test_moments_and_cells() -> None:
    strip = Strip.of(np.zeros(0, np.int64), BEGIN, 3, 20)
    assert strip.cell(BEGIN) == (0, 0)
    assert strip.cell(BEGIN + 2 * NS + 149_999_999) == (2, 2)
    assert strip.cell(BEGIN - 1) is None
    assert strip.cell(BEGIN + 3 * NS) is None
    assert strip.start(BEGIN + NS + 149_999_999) == BEGIN + NS + 100_000_000


@given(st.lists(st.integers(-NS, 5 * NS), max_size=40), st.sampled_from(ROWS), st.integers(0, 200), st.integers(0, 200))
def test_a_range_of_cells_counts_what_fell_into_it(times: list[int], rows: int, one: int, other: int) -> None:
    strip = Strip.of(np.array(times, np.int64) + BEGIN, BEGIN, 4, rows)
    start, stop = (BEGIN + min(at, 4 * rows) * strip.part for at in sorted((one, other)))
    assert strip.count(start, stop) == sum(start <= BEGIN + time < stop for time in times)


@pytest.mark.parametrize("rows", ROWS)
def test_rows_are_whole_parts_of_a_second(rows: int) -> None:
    assert NS % rows == 0
