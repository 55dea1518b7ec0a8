"""Python functions in stacks that the kernel knows again: those that differ in nothing else are counted as two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.live.test_python_functions import found, names, python, running, write
from tests.support.pythons import interpreter
from tests.support.tracing import Tracing, any_kernel, counted, trace

pytestmark = [pytest.mark.bpf, any_kernel]

ENOUGH = 500_000_000  # ns of waiting

# The native stack of every wait is the same.
WAITS = """\
import time

def nap():
    time.sleep(0.002)

def one():
    nap()

def two():
    nap()

def work():
    while True:
        one(); one(); one(); two()

work()
"""
ONE, TWO = ("<module>", "work", "one", "nap"), ("<module>", "work", "two", "nap")

KEEPS = """\
import time

kept = []

def keeps(size):
    kept.append(bytes(size))

def one():
    keeps(100_000)

def two():
    keeps(100_000)

while True:
    one(); one(); one(); two()
    time.sleep(0.05)
"""


def waits(traced: Tracing, pid: int) -> list[dict[str, Any]]:
    return [each for each in traced.stacks("off_cpu", pid=pid) if python(each)]


def kept(traced: Tracing) -> list[dict[str, Any]]:
    return [each for each in traced.lines[-1]["views"]["outstanding"]["stacks"] if python(each)]


def paths(stacks: Sequence[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    seen: Counter[tuple[str, ...]] = Counter()
    for each in stacks:
        seen[tuple(names(each))] += each["count"]
    return seen


@pytest.mark.parametrize("command", found())
def test_what_a_python_waits_in_is_told_function_by_function(command: list[str], tmp_path: Path) -> None:
    with running(command, write(tmp_path, WAITS)) as pid, trace("cpu/offcputime", pid=pid) as traced:
        traced.until(lambda: counted(waits(traced, pid)) >= ENOUGH, f"{ENOUGH} ns of it are told")
        assert traced.end() == 0
    stacks = waits(traced, pid)
    seen = paths(stacks)
    assert set(seen) <= {ONE, TWO, ONE[:-1], TWO[:-1], ONE[:2]}
    assert seen[ONE] + seen[TWO] >= 0.95 * seen.total()
    assert 0.2 < seen[TWO] / seen.total() < 0.3
    lines = {frame["line"] for each in stacks for frame in python(each) if frame["name"] == "nap"}
    assert lines == {4}
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_what_a_python_keeps_is_told_function_by_function(tmp_path: Path) -> None:
    command = interpreter("3.11")
    with (
        running(command, write(tmp_path, KEEPS)) as pid,
        trace("memory/usermemleak", pid=pid, age="0s") as traced,
    ):
        traced.until(lambda: counted(kept(traced)) >= 20_000_000, "20 MB are kept")
        assert traced.end() == 0
    seen = paths(kept(traced))
    one, two = ("<module>", "one", "keeps"), ("<module>", "two", "keeps")
    assert set(seen) == {one, two}
    assert 0.2 < seen[two] / seen.total() < 0.3
