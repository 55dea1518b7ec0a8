"""Identities of processes that nobody could ask about."""

from __future__ import annotations

import numpy as np

from ebpftop.collector.census import Census
from ebpftop.frames.messages import UNKNOWN

NOBODY = 1 << 22  # above the highest pid there can be


def census() -> Census:
    return Census(lambda number: "")


def test_a_process_the_kernel_did_not_tell_has_no_name() -> None:
    lives = census()
    numbers = lives.numbers(np.array([UNKNOWN, 0], "<u4"))
    assert numbers[0] == UNKNOWN
    assert [life.comm for life in lives.changes()] == ["[idle]"]
    assert lives.ended(numbers).tolist() == [False, False]


def test_a_process_that_was_gone_before_anyone_looked_says_so() -> None:
    lives = census()
    numbers = lives.numbers(np.array([NOBODY], "<u4"))
    assert [(life.tgid, life.comm) for life in lives.changes()] == [(NOBODY, "(ended unseen)")]
    assert lives.ended(numbers).tolist() == [True]
