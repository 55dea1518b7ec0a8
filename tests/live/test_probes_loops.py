"""application/loopgaps times what an event loop does between its waits, whatever it waits with."""

from __future__ import annotations

import time

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

BLOCKED = 211_000_000  # ns

# A loop that waits 23 times with the kind of wait that it is given; each ends at once. In between it sleeps twice,
# the second time in a poll, as code that blocks may do, and once it computes for as long.
LOOP = """
import select, time
ns, kind = int(sys.argv[1]), sys.argv[2]
ready, end = os.pipe()
os.write(end, b"x")
epoll = select.epoll()
epoll.register(ready, select.EPOLLIN)
poll = select.poll()
poll.register(ready, select.POLLIN)
waits = {"epoll": epoll.poll, "poll": poll.poll, "select": lambda: select.select([ready], [], [])}
def compute():
    begin = time.thread_time_ns()
    while time.thread_time_ns() - begin < ns: pass
def work():
    for n in range(23):
        assert waits[kind]()
        if n == 5: time.sleep(ns / 1e9)
        if n == 7: compute()
        if n == 11 and kind == "epoll": select.select([], [], [], ns / 1e9)
"""


@pytest.mark.parametrize("kind", ["epoll", *(pytest.param(each, marks=any_kernel) for each in ("poll", "select"))])
def test_each_gap_is_counted_and_a_long_one_is_told(kind: str) -> None:
    with (
        Worker(LOOP, BLOCKED, kind, name="looping") as worker,
        Worker(LOOP, BLOCKED, kind) as other,
        trace("application/loopgaps", pid=worker.pid) as traced,
    ):
        began = time.monotonic_ns()
        worker.work()
        took = time.monotonic_ns() - began
        other.work()
    assert traced.count("gaps") == traced.count("gaps", pid=worker.pid) == 22
    rows = [row for row in traced.events() if row["gap"] >= BLOCKED]
    computed = [row for row in rows if row["on_cpu"] > BLOCKED * 0.9]
    slept = [row for row in rows if row["on_cpu"] < BLOCKED / 2]
    assert {(row["pid"], row["comm"]) for row in rows} == {(worker.pid, "looping")}
    assert {row["call"].rstrip("6") for row in rows} <= {f"{kind}_wait", f"{kind}_pwait", kind, f"p{kind}"}
    assert len(computed) == 1
    assert len(slept) >= (2 if kind == "epoll" else 1)  # and any time that it waited for a CPU as long
    assert len(computed) + len(slept) == len(rows)
    assert len(rows) * BLOCKED <= sum(row["gap"] for row in rows) <= took
    assert traced.losses() == {}


# io_uring_setup is 425, io_uring_enter 426. No request is needed, so the ring isn't mapped: none is submitted, and none
# is waited for.
RING = """
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
ring = libc.syscall(425, 8, ctypes.create_string_buffer(120))
assert ring >= 0
def work():
    for n in range(13):
        assert libc.syscall(426, ring, 0, 0, 1, None, 0) == 0
        for _ in range(2): assert libc.syscall(426, ring, 0, 0, 0, None, 0) == 0
        if n in (3, 5): time.sleep(int(sys.argv[1]) / 1e9)
"""


@any_kernel
def test_a_ring_that_is_entered_only_to_submit_ends_no_gap() -> None:
    with Worker(RING, BLOCKED) as worker, trace("application/loopgaps", pid=worker.pid) as traced:
        worker.work()
    assert traced.count("gaps", pid=worker.pid) == 12
    rows = [row for row in traced.events() if row["gap"] >= BLOCKED]
    assert len(rows) >= 2
    assert {row["call"] for row in rows} == {"io_uring_enter"}
    assert traced.losses() == {}


@any_kernel
def test_gaps_that_are_not_long_are_only_counted() -> None:
    with Worker(LOOP, BLOCKED, "epoll") as worker, trace("application/loopgaps", pid=worker.pid, slower="1h") as traced:
        worker.work()
    assert (traced.events(), traced.count("gaps")) == ([], 22)
