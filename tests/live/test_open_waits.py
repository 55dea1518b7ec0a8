"""Waits that have begun and don't end are known with their age while they last, though no probe has counted any."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from ebpftop.base.syscalls import NUMBERS
from ebpftop.frames.messages import ReadThreads, Threads
from ebpftop.model.places import Place, Places
from tests.support.held_lock import WAITING, HeldLock, held_lock
from tests.support.named_threads import WAITS, named_threads
from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

PROBES = [
    pytest.param("cpu/futexlat", {}, id="cpu/futexlat"),
    pytest.param("cpu/offcputime", {}, id="cpu/offcputime", marks=any_kernel),
    pytest.param("cpu/wakeuptime", {}, id="cpu/wakeuptime", marks=any_kernel),
    pytest.param("application/syslatency", {"syscall": "futex"}, id="application/syslatency", marks=any_kernel),
]


def reading(traced: Tracing) -> Threads:
    traced.threads = None
    traced.ask(ReadThreads())
    traced.until(lambda: traced.threads is not None, "threads are read")
    assert traced.threads is not None
    return traced.threads


def waiting(traced: Tracing, lock: HeldLock) -> tuple[Threads, list[int]]:
    """A reading in which all wait, and since when they do."""
    found: list[Threads] = []

    def all_wait() -> bool:
        found[:] = [reading(traced)]
        return len(since(found[0], lock)) == WAITING

    traced.until(all_wait, f"{WAITING} threads wait")
    return found[0], since(found[0], lock)


def since(read: Threads, lock: HeldLock) -> list[int]:
    futex = {each.tid for each in read.threads if each.tgid == lock.pid and each.call == NUMBERS["futex"]}
    return [wait.since_ns for wait in read.waits if wait.tid in futex and wait.since_ns <= read.monotonic_ns]


def place(read: Threads, lock: HeldLock) -> Place:
    found = [each for each in Places().take(read) if each.seen[0].thread.tgid == lock.pid and each.call == "futex"]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(("probe", "params"), PROBES)
def test_threads_that_wait_for_a_lock_that_is_never_given_back(
    probe: str, params: dict[str, str], tmp_path: Path
) -> None:
    with held_lock(tmp_path) as lock, trace(probe, pid=lock.pid, **params) as traced:
        before = time.monotonic_ns()
        lock.wait()
        read, begins = waiting(traced, lock)
        assert all(before <= begin <= read.monotonic_ns for begin in begins)
        one = place(read, lock)
        assert len(one.seen) == WAITING
        assert sorted(each.age_ns or 0 for each in one.seen) == sorted(read.monotonic_ns - begin for begin in begins)
        again = place(reading(traced), lock)
        assert (again.age_ns or 0) > (one.age_ns or 0)
        assert one.holder is None or probe == "cpu/futexlat"
        if probe not in ("cpu/offcputime", "cpu/wakeuptime"):
            assert traced.count("latency", pid=lock.pid) == 0
    assert traced.losses() == {}


@any_kernel
@pytest.mark.parametrize("inherits", [False, True], ids=["plain", "with priority inheritance"])
def test_who_holds_the_lock_is_known(inherits: bool, tmp_path: Path) -> None:
    with held_lock(tmp_path, inherits=inherits) as lock, trace("cpu/futexlat", pid=lock.pid) as traced:
        lock.wait()
        read, _ = waiting(traced, lock)
        assert {wait.holder for wait in read.waits} == {lock.holder}
        one = place(read, lock)
        assert one.holder is not None
        assert one.holder.tid == lock.holder


@any_kernel
def test_waits_that_began_before_the_probe_was_attached_are_not_guessed(tmp_path: Path) -> None:
    with held_lock(tmp_path) as lock:
        lock.wait()
        with trace("cpu/futexlat", pid=lock.pid) as traced:
            traced.until(lambda: len(place(reading(traced), lock).seen) == WAITING, f"{WAITING} threads wait")
            assert since(reading(traced), lock) == []


IN_USER_CODE = "def work():\n    while True: pass"
IN_A_CALL = """
zeros, memory = os.open("/dev/zero", os.O_RDONLY), bytearray(1 << 24)
def work():
    while True: os.readv(zeros, [memory])
"""
BUSY = [
    pytest.param(IN_USER_CODE, id="user code"),
    pytest.param(IN_A_CALL, id="a system call", marks=any_kernel),
]


@pytest.mark.parametrize("busy", BUSY)
def test_who_woke_a_thread_last_is_known_and_no_interrupt_is_taken_for_somebody(busy: str, tmp_path: Path) -> None:
    """Timers wake the threads last, and come upon others; the last thread to be done wakes the main one."""
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(named_threads(tmp_path))
        traced = stack.enter_context(trace("cpu/wakeuptime", pid=threads.pid))
        for cpu in os.sched_getaffinity(0):
            stack.enter_context(Worker(busy, cpu=cpu)).start()
        threads.work()
        read = reading(traced)
        woken = {wait.tid: wait for wait in read.waits}
        assert woken.keys() == {threads.pid, *threads.tids.values()}
        assert {woken[tid].waker for tid in threads.tids.values()} == {0}
        assert woken[threads.pid].waker in threads.tids.values()
        assert all(0 < wait.woken_ns <= wait.since_ns <= read.monotonic_ns for wait in woken.values())
        seen = next(one for each in Places().take(read) for one in each.seen if one.thread.tid == threads.pid)
        assert seen.waker is not None
        assert seen.waker.comm in WAITS
    assert traced.losses() == {}
