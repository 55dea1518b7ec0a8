"""cpu/naptime sees each sleep, with the time that was asked for."""

from __future__ import annotations

import pytest
from support.tracing import any_kernel, trace
from support.workloads import Worker

pytestmark = pytest.mark.bpf

# 5 until a moment of the monotonic clock, 7 for 3 ms, 2 that aren't valid
SLEEP = """
import ctypes, time
libc = ctypes.CDLL(None)
def spec(seconds, ns): return (ctypes.c_long * 2)(seconds, ns)
def work():
    for _ in range(5):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 11_000_000
        libc.clock_nanosleep(1, 1, spec(now // 10**9, now % 10**9), None)
    for _ in range(7): libc.nanosleep(spec(0, 3_000_000), None)
    for _ in range(2): libc.nanosleep(spec(0, 2_000_000_000), None)
"""


def test_each_sleep_is_told_with_what_was_asked_for() -> None:
    with Worker(SLEEP) as worker, Worker(SLEEP) as other, trace("cpu/naptime", pid=worker.pid) as traced:
        worker.work()
        other.work()
    rows = traced.events()
    assert {row["pid"] for row in rows} == {worker.pid}
    assert len(rows) == 5 + 7 + 2
    assert [0 < row["asked"] <= 11_000_000 for row in rows[:5]] == [True] * 5
    assert [(row["asked"], row["result"]) for row in rows[5:]] == [(3_000_000, "")] * 7 + [
        (2_000_000_000, "EINVAL")
    ] * 2
    assert all(row["took"] >= row["asked"] for row in rows[:12])
    assert traced.losses() == {}


@any_kernel
def test_only_long_sleeps() -> None:
    with Worker(SLEEP) as worker, trace("cpu/naptime", pid=worker.pid, slower="1h") as traced:
        worker.work()
    assert traced.events() == []
