import numpy as np
import pytest

from ebpftop.stats.groups import group
from ebpftop.stats.histogram import Histogram
from ebpftop.stats.slots import slot_of


def test_groups_agree_with_one_histogram_each() -> None:
    random = np.random.default_rng(11)
    keys, slots = random.integers(0, 300, 5000), random.integers(0, 496, 5000)
    counts = random.integers(0, 1 << 40, 5000).astype(np.uint64)
    groups = group(keys, slots, counts)
    assert groups.keys[0].tolist() == sorted(set(keys.tolist()))
    for q in (0.0, 0.5, 0.9, 0.99, 1.0):
        lo, hi = groups.quantiles(q)
        for i, key in enumerate(groups.keys[0].tolist()):
            one = Histogram.of(slots[keys == key], counts[keys == key])
            assert int(groups.totals[i]) == one.count
            assert (int(lo[i]), int(hi[i])) == one.quantile(q) or one.quantile(q) == (int(lo[i]), 2**64)


def test_one_group_can_be_taken_out() -> None:
    groups = group(np.array([9, 4, 9, 9]), [20, 3, 10, 20], [1, 2, 3, 4])
    h = groups.histogram(1)
    assert (h.slots.tolist(), h.counts.tolist()) == ([10, 20], [3, 5])
    assert groups.histogram(0).count == 2


def test_keys_of_several_columns() -> None:
    device = np.array([259, 8, 259, 8], np.uint32)
    operation = np.array([1, 0, 1, 1], np.uint32)
    groups = group((device, operation), [5, 5, 6, 7], [1, 1, 1, 1])
    assert [column.tolist() for column in groups.keys] == [[8, 8, 259], [0, 1, 1]]
    assert groups.totals.tolist() == [1, 1, 2]


def test_a_group_without_values_has_no_quantile() -> None:
    groups = group(np.array([1, 2, 3]), [100, 200, 300], [5, 0, 5])
    lo, hi = groups.quantiles(0.5)
    assert (int(lo[1]), int(hi[1])) == (0, 0)
    assert (lo > 0).tolist() == [True, False, True]


def test_no_rows_no_groups() -> None:
    groups = group(np.empty(0, np.uint32), [], [])
    assert len(groups) == 0
    assert [array.tolist() for array in groups.quantiles(0.5)] == [[], []]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 keys, 1 slots, 1 counts"):
        group(np.array([1, 2]), [0], [1])


def test_sums_take_each_value_for_the_middle_of_its_bucket() -> None:
    values = [(1, 7), (1, 7), (1, 1_000_000), (2, 3), (3, 50_021), (3, 50_021)]
    keys = np.array([key for key, _ in values])
    slots = np.array([slot_of(value) for _, value in values])
    grouped = group(keys, slots, np.ones(len(values), np.uint64))
    exact = [1_000_014, 3, 100_042]
    assert grouped.sums() == pytest.approx(exact, rel=1 / 16)
    assert grouped.sums()[1] == 3
