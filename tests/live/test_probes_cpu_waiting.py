"""cpu/naptime, cpu/futexlat and cpu/lockcontention see each wait, and how long it was."""

from __future__ import annotations

import os
import pty
import time
import tty
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import eventually
from tests.support.tracing import Tracing, any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# ---------------------------------------------------------------- naptime

# 5 until a moment of the monotonic clock, 7 for 3 ms, 2 that aren't valid
SLEEP = """
import ctypes, time
libc = ctypes.CDLL(None)
def spec(seconds, ns): return (ctypes.c_long * 2)(seconds, ns)
def work():
    for _ in range(5):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 101_000_000
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
    assert [0 < row["asked"] <= 101_000_000 for row in rows[:5]] == [True] * 5
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


# ---------------------------------------------------------------- futexlat

# 13 that time out after 20 ms, 7 whose value has changed, 3 of futex_waitv that time out
FUTEX = """
import ctypes, platform, struct
libc = ctypes.CDLL(None, use_errno=True)
futex = {"x86_64": 202, "aarch64": 98}[platform.machine()]
word = ctypes.c_uint32(1)
address = ctypes.addressof(word)
waiter = ctypes.create_string_buffer(struct.pack("=QQII", 1, address, 2, 0))
def work():
    for _ in range(13): libc.syscall(futex, ctypes.byref(word), 0 | 128, 1, (ctypes.c_long * 2)(0, 20_000_000), None, 0)
    for _ in range(7): libc.syscall(futex, ctypes.byref(word), 0 | 128, 2, None, None, 0)
    for _ in range(3): libc.syscall(449, waiter, 1, 0, (ctypes.c_long * 2)(0, 0), 1)
"""


def test_each_wait_for_a_futex_is_timed() -> None:
    with Worker(FUTEX) as worker, Worker(FUTEX) as other, trace("cpu/futexlat", pid=worker.pid) as traced:
        began = time.monotonic_ns()
        worker.work()
        took = time.monotonic_ns() - began
        other.work()
    assert traced.count("latency") == traced.count("latency", pid=worker.pid) == 13 + 7 + 3
    long = sum(count for (_, high), count in traced.buckets("latency").items() if high > 20_000_000)
    assert long >= 13
    (sums,) = traced.totals("waits", "pid").values()
    assert (sums["waits"], sums["changed"], sums["timeouts"]) == (13 + 7 + 3, 7, 13 + 3)
    assert 13 * 20_000_000 <= sums["waited"] <= took
    assert traced.losses() == {}


# ---------------------------------------------------------------- lockcontention

# Who reads a terminal holds a mutex of it until a line comes: the others wait for that mutex.
READ_TERMINAL = """
import threading
terminal = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
def work():
    threads = [threading.Thread(target=os.read, args=(terminal, 1)) for _ in range(int(sys.argv[2]))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def all_sleep(pid: int, threads: int) -> bool:
    stats = [(task / "stat").read_text().rpartition(")")[2].split() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [stat[0] for stat in stats] == ["S"] * threads


HELD = 100_000_000  # ns


def read_terminal(**params: Any) -> tuple[Tracing, int]:
    """Eight threads read a terminal, of which seven wait so long for its mutex. What was traced, and their process."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    try:
        with (
            Worker(READ_TERMINAL, os.ttyname(theirs), 8) as worker,
            trace("cpu/lockcontention", pid=worker.pid, **params) as traced,
        ):
            worker.start()
            eventually(lambda: all_sleep(worker.pid, 1 + 8), "one thread reads, seven wait")
            time.sleep(HELD / 1e9)
            os.write(ours, b"12345678")
            worker.finish()
    finally:
        os.close(ours)
        os.close(theirs)
    return traced, worker.pid


def long(traced: Tracing, **labels: object) -> int:
    """Waits for a mutex that long."""
    return sum(n for (_, high), n in traced.buckets("latency", kind="mutex", **labels).items() if high > HELD)


def test_waits_for_a_mutex_of_the_kernel_are_counted_and_timed() -> None:
    traced, pid = read_terminal()
    assert long(traced, pid=pid) == 7
    assert counted(traced.stacks("places", pid=pid, kind="mutex"), "tty_read") >= 7 * HELD
    assert traced.count("latency") == traced.count("latency", pid=pid)
    assert traced.losses() == {}


def test_they_are_kept_by_thread() -> None:
    traced, pid = read_terminal(by="thread")
    places = traced.stacks("places", pid=pid, kind="mutex")
    tids = {each["labels"]["tid"] for each in places if counted([each], "tty_read")} - {0}
    assert sorted(long(traced, pid=pid, tid=tid) for tid in tids) == [*[0] * (len(tids) - 7), *[1] * 7]
    assert all(counted(traced.stacks("places", tid=tid), "tty_read") >= HELD for tid in tids if long(traced, tid=tid))
    assert traced.losses() == {}
