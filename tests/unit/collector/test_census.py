"""Identities of processes that nobody could ask about."""

from __future__ import annotations

import numpy as np

from ebpftop.collector.census import Census
from ebpftop.frames.messages import UNKNOWN

NOBODY = 1 << 22  # above the highest pid there can be


def census() -> Census:
    return Census(lambda number: "")


def test_a_process_the_kernel_did_not_tell_has_no_name() -> None:
    known = census()
    numbers = known.numbers(np.array([UNKNOWN, 0], "<u4"))
    assert numbers[0] == UNKNOWN
    assert [process.comm for process in known.changes()] == ["[idle]"]
    assert known.ended(numbers).tolist() == [False, False]


def test_a_process_that_was_gone_before_anyone_looked_says_so() -> None:
    known = census()
    numbers = known.numbers(np.array([NOBODY], "<u4"))
    assert [(process.tgid, process.comm) for process in known.changes()] == [(NOBODY, "(ended unseen)")]
    assert known.ended(numbers).tolist() == [True]
