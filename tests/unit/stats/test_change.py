"""What is called a change, in workloads where nothing changes and where something does."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.rows.keys import Array
from ebpftop.stats.change import LEVEL, Side, chances, one_length
from ebpftop.stats.correlation import Correlation, block_length, blocks
from ebpftop.stats.histogram import PERCENTILES, Histogram
from ebpftop.stats.percentile_change import Values, percentile_changes
from ebpftop.stats.slots import SLOTS
from tests.support.drawn import activity

TRIALS = 30
ALARMS = 5  # of 30 at 5 %: more come in 0.3 % of the cases


def _rates(counts: Array, split: int) -> tuple[Side, Side]:
    a, b = counts[:split].astype(np.float64), counts[split:].astype(np.float64)
    return Side(a, np.ones_like(a)), Side(b, np.ones_like(b))


def _drawn(kind: str, random: np.random.Generator, steps: int, rows: int) -> Array:
    if kind == "mixed":
        thirds = [activity(each, random, steps, rows // 3) for each in ("independent", "autocorrelated", "bursts")]
        return np.hstack(thirds)
    return activity(kind, random, steps, rows)


@pytest.mark.parametrize("kind", ["independent", "autocorrelated", "bursts", "mixed"])
def test_rates_that_only_vary_are_not_called_changed_more_often_than_stated(kind: str) -> None:
    random = np.random.default_rng(11)
    told = alarms = 0
    for _ in range(TRIALS):
        chance = chances(*_rates(random.poisson(_drawn(kind, random, 240, 500)), 120))
        if chance is not None:
            told += 1
            alarms += bool((chance <= LEVEL).any())
    assert told >= TRIALS * 0.6
    assert alarms <= ALARMS


def _values(random: np.random.Generator, events: Array, slower: Array) -> Values:
    """Latencies of about 60 µs, each row's (steps × rows) so many times as long."""
    step, row = np.nonzero(events)
    step, row = (np.repeat(each, events[step, row]) for each in (step, row))
    latencies = (np.exp(random.normal(11, 1, len(step))) * slower[step, row]).astype(np.int64)
    exponent = np.floor(np.log2(np.maximum(latencies, 8))).astype(np.int64) - 3
    return Values(step, row, (exponent << 3) + (latencies >> exponent), np.ones(len(step)), *events.shape)


def _changed(before: Values, after: Values) -> dict[str, Array]:
    """A mask of the rows for each percentile; all of them are asked together."""
    found = percentile_changes(before, after, PERCENTILES)
    sides = [
        Side(
            np.hstack([each.sides[at].parts for each in found.values()]),
            np.hstack([each.sides[at].wholes for each in found.values()]),
        )
        for at in (0, 1)
    ]
    chance = chances(*sides)
    assert chance is not None
    parts = np.split(chance, len(found))
    return {name: (part <= LEVEL) & each.differs for part, (name, each) in zip(parts, found.items(), strict=True)}


@pytest.mark.parametrize("kind", ["independent", "autocorrelated", "bursts"])
def test_a_doubling_of_p99_is_told_and_percentiles_that_only_vary_are_not(kind: str) -> None:
    """Latencies follow the load, except in one row, which doubles."""
    random = np.random.default_rng(12)
    alarms, told, trials = 0, 0, 12
    for _ in range(trials):
        rates = activity(kind, random, 240, 100).copy()
        slower = (rates / rates.mean(axis=0)) ** 0.2
        rates[:, 0], slower[:, 0] = 40, 1
        slower[120:, 0] = 2
        events = random.poisson(rates)
        masks = _changed(_values(random, events[:120], slower[:120]), _values(random, events[120:], slower[120:]))
        told += bool(masks["p99"][0])
        alarms += any(mask[1:].any() for mask in masks.values())
    assert told == trials
    assert alarms <= 3  # of 12 at 5 %: more come in 0.2 % of the cases


def test_a_change_is_told_in_the_row_where_it_is() -> None:
    random = np.random.default_rng(13)
    rates = np.full((120, 500), 20.0)
    rates[60:, 7] = 40
    rates[60:, 8] = 0
    chance = chances(*_rates(random.poisson(rates), 60))
    assert chance is not None
    assert np.flatnonzero(chance <= LEVEL).tolist() == [7, 8]


def test_equal_spans_give_equal_answers() -> None:
    counts = np.random.default_rng(14).poisson(5, (100, 30))
    first, second = (chances(*_rates(counts, 40)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.tolist() == second.tolist()


def test_too_short_to_tell() -> None:
    counts = np.random.default_rng(15).poisson(50, (40, 3))
    counts[4:] *= 10
    assert chances(*_rates(counts[:24], 4)) is None
    assert chances(*_rates(counts, 36)) is None
    assert chances(*_rates(counts[:9], 4)) is None
    alike = np.repeat(counts, 10, axis=0)  # each step ten times: forty observations become four
    assert block_length([alike[:40] * 1.0]) > 8
    assert chances(*_rates(alike[:80], 40)) is None


def test_rows_that_do_not_vary() -> None:
    counts = np.zeros((40, 4))
    counts[20:, 1] = 3  # came to be, and stays the same
    counts[:, 2] = 5
    counts[25, 3] = 1000  # once
    chance = chances(*_rates(counts, 20))
    assert chance is not None
    assert (chance <= LEVEL).tolist() == [False, True, False, False]
    nothing = chances(*_rates(np.zeros((40, 2)), 20))
    assert nothing is not None
    assert nothing.tolist() == [1, 1]


def test_percentiles_are_those_of_the_histograms() -> None:
    random = np.random.default_rng(16)
    events = random.poisson(np.full((30, 3), 4.0))
    events[:, 2] = 0
    a = _values(random, events, np.ones(events.shape))
    b = _values(random, events, np.full(events.shape, 3.0))
    found = percentile_changes(a, b, PERCENTILES)
    for name, q in PERCENTILES.items():
        for row in (0, 1):
            for values, (lo, hi) in ((a, found[name].before), (b, found[name].after)):
                mine = values.row == row
                assert (lo[row], hi[row]) == Histogram.of(values.slot[mine], values.counts[mine]).quantile(q)
        assert np.isnan([found[name].before[0][2], found[name].after[1][2]]).all()
    assert found["p50"].differs.tolist()[:2] == [True, True]


def test_values_that_reach_a_limit_are_counted_by_unit_and_row() -> None:
    values = Values(
        np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), np.array([5, 6, 7, 3]), np.array([2, 1, 4, 8]), 2, 2
    )
    side = values.above(np.array([5, 7]))
    assert side.parts.tolist() == [[2, 0], [4, 0]]
    assert side.wholes.tolist() == [[2, 1], [12, 0]]
    assert values.histograms().shape == (2, SLOTS)


def test_merged_steps_are_brought_to_one_length() -> None:
    before, after = one_length(np.full(10, 4.0), np.ones(41))
    assert before.tolist() == list(range(10))
    assert np.bincount(after).tolist() in ([4] * 5 + [5] + [4] * 4, [4] * 9 + [5])
    jittering = 1 + np.random.default_rng(17).normal(0, 0.01, 100)
    assert [unit.tolist() for unit in one_length(jittering, jittering[:50])] == [list(range(100)), list(range(50))]
    long, short = one_length(np.ones(3600), np.ones(60))
    assert (long.max(), short.max(), np.bincount(long).tolist()) == (119, 1, [30] * 120)
    assert [unit.tolist() for unit in one_length(np.zeros(0), np.ones(2))] == [[], [0, 1]]


def test_blocks_are_as_long_as_steps_are_alike() -> None:
    random = np.random.default_rng(5)
    noise = random.normal(size=(400, 20))
    alike = np.zeros_like(noise)
    for step in range(1, 400):
        alike[step] = 0.8 * alike[step - 1] + noise[step]
    assert block_length([noise[:200], noise[200:]]) <= 3
    assert 18 <= block_length([alike[:200], alike[200:]]) <= 36  # twice 1 + 2 × 0.8 / (1 - 0.8) = 9, or somewhat more
    assert block_length([np.ones((5, 3)), np.zeros((1, 3))]) == 1
    assert block_length([]) == 1
    mixed = Correlation.of([np.hstack((noise, alike[:, :1]))])
    assert mixed.inflation.argmax() == 20


def test_blocks_divide_steps_evenly() -> None:
    assert np.bincount(blocks(10, 3)).tolist() == [4, 3, 3]
    assert blocks(2, 5).tolist() == [0, 0]
    assert blocks(0, 5).tolist() == []
