"""Identities are kept in a bounded number of bytes, whatever a stream names."""

import gc
import tracemalloc
from sys import getsizeof

import msgspec
import pytest

from ebpftop.base import bounds
from ebpftop.frames.identities import Identities
from ebpftop.frames.messages import FOLDED, Process, Processes


def one(number: int, ended: int | None = None, command: str = "") -> Process:
    return Process(id=number, tgid=number, start_ns=0, ended_ns=ended, command=command)


def size(count: int) -> int:
    """Bytes of so many without texts."""
    known = Identities()
    known.remember(map(one, range(count)))
    return known.bytes


def test_beyond_the_limit_those_that_ended_go_first() -> None:
    known = Identities(size(6))
    known.remember([one(FOLDED, 0), one(1, 5), one(2), one(3, 5), one(4), one(5), one(6)])
    assert [*known] == [FOLDED, 2, 4, 5, 6]
    assert known.bytes == size(5)


def test_beyond_the_limit_those_that_live_go_too() -> None:
    known = Identities(size(6))
    for number in (FOLDED, *range(1, 1009)):
        known.remember([one(number)])
    assert FOLDED in known
    assert 3 <= len(known) <= 6
    assert [*known][1:] == [*range(1009 - len(known) + 1, 1009)]


def test_a_process_counts_once_and_with_its_texts() -> None:
    known = Identities()
    known.remember([one(1, command="x" * 1000)])
    known.remember([one(1, command="x" * 10)])
    assert known.bytes == size(1) + getsizeof("x" * 10)


@pytest.mark.parametrize("command", ["", "/usr/bin/python3 -m a.rather.long.name " * 100], ids=["short", "long"])
def test_a_hundred_thousand_processes_take_what_is_stated(command: str) -> None:
    known = Identities()
    gc.collect()
    tracemalloc.start()
    for first in range(0, 100_000, 1000):
        processes = [one(n, None if n % 2 else n, f"{command}{n}") for n in range(first + 1, first + 1001)]
        frame = msgspec.msgpack.encode(Processes(processes=processes))
        del processes
        known.remember(msgspec.msgpack.decode(frame, type=Processes).processes)
        assert known.bytes <= bounds.PROCESSES
    del frame
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 100_000 in known or 99_999 in known
    assert taken <= 1.05 * bounds.PROCESSES
    assert taken <= 1.25 * known.bytes
