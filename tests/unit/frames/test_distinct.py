"""Distinct values by hash: the same as by sorting, also where hashes collide."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.frames import distinct as module
from ebpftop.frames.columns import Array, intern, unpack
from ebpftop.frames.distinct import distinct

TEXTS = np.array([b"/etc/passwd", b"", b"/etc/hosts", b"/etc/passwd", b"", b"/etc/passwd2"])


@pytest.mark.parametrize(
    "values",
    [
        TEXTS.astype("S16"),
        TEXTS.astype("S13"),
        TEXTS.astype("S16").view("V16"),
        np.array([7, -2, 7, 0], "<i4"),
        np.array(["b", "a", "b"]),
        np.empty(0, "S16"),
        np.empty(0, "<u4"),
    ],
)
def test_each_row_has_the_value_of_its_example(values: Array) -> None:
    examples, codes = distinct(values)
    assert values[examples][codes].tolist() == values.tolist()
    assert len(examples) == len(set(values.tolist()))


def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hashed", lambda words: np.zeros(len(words), "<u8"))
    examples, codes = distinct(TEXTS)
    assert TEXTS[examples][codes].tolist() == TEXTS.tolist()
    assert len(examples) == 4


def test_what_follows_a_texts_end_makes_no_other_label() -> None:
    texts = np.array([b"comm\0x", b"other", b"comm\0yz", b"comm"], "S8")
    column = intern(texts)
    assert unpack({"comm": column})["comm"].texts() == ["comm", "other", "comm", "comm"]
    assert sorted(column.labels or ()) == ["comm", "other"]
