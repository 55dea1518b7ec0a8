import math

import numpy as np
import pytest

from ebpftop.rows.keys import Vocabulary, encode
from ebpftop.rows.matching import align, rates


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
    assert words.translate(np.array([2]), ["write", "open", "read"]).tolist() == [0]  # the same labels again


def test_rates() -> None:
    assert rates(np.array([3, 2**63], np.uint64), 2).tolist() == [1.5, 2.0**62]
    assert math.isnan(rates(np.array([3]), 0)[0])
