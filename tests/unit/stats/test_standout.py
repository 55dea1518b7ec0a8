"""What stands out in a region, in workloads where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.rows.keys import Array
from ebpftop.stats.standout import Cells, Region, Standout, standouts
from tests.support.drawn import activity

SLOTS = 8
SLOW = np.arange(SLOTS) >= 6
FAST = np.array([40, 30, 15, 8, 4, 2, 0.7, 0.3]) / 100


def _drawn(random: np.random.Generator, rates: Array, slots: Array) -> Array:
    """Events, (steps × keys × slots). rates: (steps × keys). slots: how likely each is, (SLOTS) or for each rate."""
    return random.multinomial(random.poisson(rates), np.broadcast_to(slots, (*rates.shape, SLOTS)))


def _found(events: Array, span: slice, slots: Array, **dimensions: Array) -> list[Standout]:
    """dimensions: a number a key."""
    steps, keys, _ = events.shape
    step, key, slot = np.nonzero(events)
    cells = Cells(step, key * SLOTS + slot, events[step, key, slot], steps)
    numbers = [*dimensions.values()] or [np.arange(keys)]
    region = Region(*span.indices(steps)[:2], np.tile(slots, keys))
    return standouts(cells, region, [np.repeat(codes, SLOTS) for codes in numbers])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_who_is_slow_in_a_patch(random: np.random.Generator) -> None:
    rates = np.full((120, 20), 30.0)
    slots = np.broadcast_to(FAST, (120, 20, SLOTS)).copy()
    slots[60:75, 4] = np.eye(SLOTS)[7]
    events = _drawn(random, rates, slots)
    (row,) = _found(events, slice(60, 75), SLOW)
    inside = events[60:75, :, SLOW].sum(axis=(0, 2))
    everything = events.sum(axis=(0, 2))
    assert (row.dimension, row.value, row.count) == (0, 4, inside[4])
    assert row.inside == pytest.approx(inside[4] / inside.sum())
    assert row.outside == pytest.approx((everything - inside)[4] / (everything - inside).sum())
    assert row.inside > 0.7
    assert row.outside < 0.06
    assert 0.3 < row.gain < 1


def test_the_gain_is_the_mutual_information_over_the_entropy(random: np.random.Generator) -> None:
    events = np.zeros((40, 2, SLOTS), np.int64)
    events[:, 0, 7], events[:, 1, 7] = 9, 1
    events[:, 0, 0], events[:, 1, 0] = 10, 30
    (row,) = _found(events, slice(0, 40), SLOW)
    table = np.array([[9, 1], [10, 30]]) / 50
    information = (table * np.log2(table / np.outer(table.sum(axis=1), table.sum(axis=0)))).sum()
    entropy = -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))
    assert row == Standout(0, 0, 0.9, 0.25, pytest.approx(information / entropy), 360)


def test_one_of_two_begins_to_write_half_way(random: np.random.Generator) -> None:
    """What the other one did before says nothing of how much it varies now."""
    rates = np.full((60, 2), 50.0)
    rates[:30, 1] = 0
    rates[30:, 1] = 20
    slots = np.broadcast_to(FAST, (60, 2, SLOTS)).copy()
    slots[30:, 1] = np.array([0, 0, 0, 0, 0, 0.2, 0.3, 0.5])
    events = _drawn(random, rates, slots)
    for span in (slice(30, 60), slice(36, 50), slice(25, 60), slice(40, 43)):
        assert [row.value for row in _found(events, span, SLOW)] == [1]


def test_a_span_of_all_slots_is_compared_with_the_other_steps(random: np.random.Generator) -> None:
    rates = np.full((120, 30), 10.0)
    rates[80:90, 3] = 500
    events = _drawn(random, rates, FAST)
    (row,) = _found(events, slice(80, 90), SLOW | True)
    assert (row.value, row.inside > 0.6, row.outside < 0.05) == (3, True, True)


def test_every_dimension_is_searched_and_the_best_answer_comes_first(random: np.random.Generator) -> None:
    """Keys are processes on devices: whatever is on device 2 is slow, and process 0 is mostly there."""
    device = np.arange(30) % 3
    process = np.where(device == 2, 0, np.arange(30))
    process[2] = 9
    slots = np.broadcast_to(FAST, (60, 30, SLOTS)).copy()
    slots[:, device == 2] = np.array([0, 0, 0, 0, 0.1, 0.2, 0.3, 0.4])
    events = _drawn(random, np.full((60, 30), 20.0), slots)
    found = _found(events, slice(0, 60), SLOW, process=process, device=device, nothing=np.full(30, -1))
    assert [(row.dimension, row.value) for row in found] == [(1, 2), (0, 0)]
    assert found[0].gain > found[1].gain


def test_rows_without_a_value_count_in_the_shares_only(random: np.random.Generator) -> None:
    slots = np.broadcast_to(FAST, (60, 3, SLOTS)).copy()
    slots[:, :2] = np.eye(SLOTS)[7]
    events = _drawn(random, np.full((60, 3), 20.0), slots)
    (row,) = _found(events, slice(0, 60), SLOW, process=np.array([-1, 1, 2]))
    assert (row.value, round(row.inside, 1)) == (1, 0.5)


def test_a_handful_of_events_is_no_answer() -> None:
    events = np.zeros((60, 10, SLOTS), np.int64)
    events[:, :, 0] = 10
    events[30:34, 5, 7] = 1
    assert _found(events, slice(20, 40), SLOW) == []
    events[34:36, 5, 7] = 1
    assert [row.value for row in _found(events, slice(20, 40), SLOW)] == [5]


def test_a_small_difference_does_not_stand_out_however_sure(random: np.random.Generator) -> None:
    rates = np.full((100, 2), 100_000.0)
    rates[50:, 0] = 130_000
    assert _found(_drawn(random, rates, FAST), slice(50, 100), SLOW | True) == []


@pytest.mark.parametrize("span", [slice(0, 0), slice(0, 5), slice(3, 4), slice(0, 10)])
def test_a_region_with_nothing_in_or_around_it(span: slice) -> None:
    events = np.zeros((10, 4, SLOTS), np.int64)
    assert _found(events, span, SLOW) == []
    events[:, :, 0] = 5
    assert _found(events, span, SLOW) == []
    assert _found(events, slice(0, 10), SLOW | True) == []


TRIALS = 40
ALARMS = 6  # of 40 at 5 %: more come in 0.3 % of the cases


@pytest.mark.parametrize("kind", ["independent", "autocorrelated", "bursts"])
@pytest.mark.parametrize("region", ["span", "slots", "patch"])
def test_nothing_stands_out_where_slots_and_keys_have_nothing_to_do_with_each_other(kind: str, region: str) -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(TRIALS):
        rates = activity(kind, random, 120, 50)
        events = _drawn(random, rates, random.dirichlet(np.ones(SLOTS)))
        length = {"span": int(random.integers(10, 40)), "slots": 120}.get(region, 3)
        first = int(random.integers(0, 121 - length))
        chosen = np.arange(SLOTS) == random.integers(SLOTS)
        slots = chosen if region in ("slots", "patch") else SLOW | True
        names = {"process": np.arange(50), "name": np.arange(50) // 3}
        alarms += bool(_found(events, slice(first, first + length), slots, **names))
    assert alarms <= ALARMS
