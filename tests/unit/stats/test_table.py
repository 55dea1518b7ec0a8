import math

import numpy as np
import pytest

from ebpftop.stats.keys import Vocabulary, encode
from ebpftop.stats.table import align, difference, rates, subtract


def test_births_deaths_and_changes() -> None:
    delta, skew = difference(
        np.array([10, 20, 30]), np.array([5, 7, 9], np.uint64), np.array([30, 40, 10]), np.array([12, 2, 5], np.uint64)
    )
    assert (delta.tolist(), skew) == ([3, 2, 0], 0)
    assert delta.dtype == np.uint64


def test_a_count_that_went_down_is_0_and_skew() -> None:
    delta, skew = difference(np.array([1, 2]), np.array([9, 9]), np.array([1, 2]), np.array([8, 11]))
    assert (delta.tolist(), skew) == ([0, 2], 1)


def test_all_of_u64() -> None:
    old, new = np.array([1, 2**63], np.uint64), np.array([2**64 - 1, 2**63 + 1], np.uint64)
    assert difference(np.array([1, 2]), old, np.array([1, 2]), new)[0].tolist() == [2**64 - 2, 1]


def test_align_agrees_with_a_dictionary() -> None:
    random = np.random.default_rng(3)
    old = random.permutation(5000).astype(np.uint32)[:3000]
    new = random.permutation(5000).astype(np.uint32)[:3500]
    place = {key: row for row, key in enumerate(old.tolist())}
    assert align(old, new).tolist() == [place.get(key, -1) for key in new.tolist()]


@pytest.mark.parametrize("kind", [np.uint64, np.int64, "S16", "f8"])
def test_keys_of_two_columns_of_any_kind(kind: type | str) -> None:
    old = (np.array([7, 7, 8]).astype(kind), np.array([1, 2, 1], np.uint32))
    new = (np.array([8, 7, 8]).astype(kind), np.array([1, 2, 2], np.uint32))
    assert align(old, new).tolist() == [2, 1, -1]


def test_columns_that_need_more_than_64_bits_together() -> None:
    wide = np.array([0, 2**64 - 1, 5], np.uint64)
    assert align((wide, wide), (wide[::-1], wide[::-1])).tolist() == [2, 1, 0]
    assert align((wide, wide), (wide, wide[::-1].copy())).tolist() == [-1, 1, -1]


def test_from_and_to_nothing() -> None:
    none, some = np.empty(0, np.uint32), np.array([3, 4], np.uint32)
    assert align(none, some).tolist() == [-1, -1]
    assert align(some, none).tolist() == []
    assert difference(none, none, some, np.array([6, 7]))[0].tolist() == [6, 7]


def test_one_alignment_serves_several_columns() -> None:
    index = align(np.array([1, 2]), np.array([2, 3]))
    assert subtract(index, np.array([10, 20]), np.array([25, 1]))[0].tolist() == [5, 1]
    assert subtract(index, np.array([0.5, 1.5]), np.array([2.0, 4.0]))[0].tolist() == [0.5, 4.0]


def test_key_columns_must_match() -> None:
    one = np.array([1])
    with pytest.raises(ValueError, match="zip"):
        align((one, one), one)
    with pytest.raises(ValueError, match=r"\[1, 2\] rows"):
        align((one, np.array([1, 2])), (one, one))


def test_numbers_of_keys_follow_their_order() -> None:
    signed = np.array([-5, 3, -9], np.int32)
    assert np.argsort(encode(signed)).tolist() == [2, 0, 1]
    assert np.argsort(encode((np.array([1, 1, 0]), signed))).tolist() == [2, 0, 1]


def test_a_vocabulary_makes_labels_comparable_between_snapshots() -> None:
    words = Vocabulary()
    first = words.translate(np.array([1, 0, 1]), ["read", "write"])
    second = words.translate(np.array([0, 2, 1]), ["write", "open", "read"])
    assert [words.labels[i] for i in first] == ["write", "read", "write"]
    assert [words.labels[i] for i in second] == ["write", "read", "open"]
    assert align(first[:2], second).tolist() == [0, 1, -1]


def test_rates() -> None:
    assert rates(np.array([3, 2**63], np.uint64), 2).tolist() == [1.5, 2.0**62]
    assert math.isnan(rates(np.array([3]), 0)[0])
