"""Identities of processes that ended before anyone looked."""

from __future__ import annotations

import os

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


def test_the_supervisor_and_its_children_are_ebpftops_own() -> None:
    census = Census(lambda number: "", os.getppid())
    census.numbers(np.array([os.getppid(), os.getpid(), 1]))
    assert {each.tgid: each.own for each in census.changes()} == {os.getppid(): True, os.getpid(): True, 1: False}
    nobody = Census(lambda number: "")
    nobody.numbers(np.array([0, os.getpid()]))
    assert not any(each.own for each in nobody.changes())
