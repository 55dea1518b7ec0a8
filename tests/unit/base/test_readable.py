"""Waiting for descriptors, whatever their numbers."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator

import pytest

from ebpftop.base.readable import readable

HIGH = 1500  # more than select(2) takes


@pytest.fixture(params=[0, HIGH], ids=["low", "high"])
def pipe(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Its reading end, of at least that number, and its writing end."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] <= HIGH:
        pytest.skip(f"this process may have no descriptor above {limits[1] - 1}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2 * HIGH), limits[1]))
    low, writing = os.pipe2(os.O_NONBLOCK)
    reading = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, request.param)
    os.close(low)
    yield reading, writing
    os.close(reading)
    os.close(writing)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_has_come_is_readable(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    other, its_writer = os.pipe()
    assert readable([reading, other], 0) == []
    assert readable([reading, other], 0.001) == []
    os.write(writing, b"x")
    assert readable([reading, other]) == [reading]
    os.close(its_writer)
    assert set(readable([reading, other])) == {reading, other}, "an end is, too"
    os.close(other)


def test_what_is_closed_does_not_wait_for_ever(pipe: tuple[int, int]) -> None:
    reading, _ = pipe
    closed = os.dup(reading)
    os.close(closed)
    assert readable([closed]) == [closed], "reading it raises"
