"""cpu/exitsnoop and cpu/pidpersec see each process that is created, and each that ends, with its end."""

from __future__ import annotations

import os

import pytest

from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker, run_programs

pytestmark = pytest.mark.bpf

THREADS = """
import threading, os, time
for _ in range(6): threading.Thread(target=time.sleep, args=[60], daemon=True).start()
os._exit(3)
"""
FORK = """
import threading
def work():
    for _ in range(int(sys.argv[1])):
        if not (child := os.fork()): os._exit(0)
        os.waitpid(child, 0)
    for _ in range(int(sys.argv[2])):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
"""


def shell(script: str, count: int) -> list[int]:
    """Run it so many times, one after another; returns the pids."""
    pids = []
    for _ in range(count):
        pids.append(os.posix_spawn("/bin/sh", ["sh", "-c", script], {}))
        os.waitpid(pids[-1], 0)
    return pids


@pytest.mark.parametrize("variant", ["", pytest.param("live_count", marks=any_kernel)])
def test_each_process_ends_once_with_its_status_or_signal(variant: str) -> None:
    probe = variant_of("cpu/exitsnoop", variant) if variant else "cpu/exitsnoop"
    with trace(probe, parent=os.getpid()) as traced:
        ended = {
            ("0", ""): shell("exit 0", 3),
            ("7", ""): shell("exit 7", 5),
            ("0", "SIGKILL"): shell("kill -KILL $$", 2),
            ("3", ""): [os.posix_spawn("/usr/bin/python3", ["python3", "-c", THREADS], {})],
        }
        os.waitpid(ended["3", ""][0], 0)
        slept = os.posix_spawn("/bin/sleep", ["sleep", "0.2"], {})
        os.waitpid(slept, 0)
    for (status, signal), pids in ended.items():
        rows = [row for pid in pids for row in traced.events(pid=pid)]
        assert [(str(row["status"]), row["signal"], row["ppid"]) for row in rows] == [
            (status, signal, os.getpid())
        ] * len(pids)
    (sleeper,) = traced.events(comm="sleep", pid=slept)
    assert sleeper["lived"] >= 200_000_000
    assert sleeper["user"] == "root"
    assert traced.losses() == {}


@any_kernel
def test_only_failures_are_told_when_asked() -> None:
    with trace("cpu/exitsnoop", parent=os.getpid(), failed="true") as traced:
        shell("exit 0", 5)
        failed = shell("exit 1", 7)
    assert [row["pid"] for row in traced.events()] == failed


def test_created_processes_and_threads_are_told_apart() -> None:
    with Worker(FORK, 31, 17) as worker, Worker(FORK, 3, 5) as other, trace("cpu/pidpersec") as traced:
        worker.work()
        other.work()
        run_programs(1)
    totals = traced.totals("created", "pid")
    assert totals[worker.pid] == {"processes": 31, "threads": 17}
    assert totals[other.pid] == {"processes": 3, "threads": 5}
    assert traced.losses() == {}


@any_kernel
def test_only_what_one_process_creates() -> None:
    with Worker(FORK, 3, 2) as worker, trace("cpu/pidpersec", pid=worker.pid) as traced:
        worker.work()
        run_programs(5)
    assert traced.totals("created", "pid") == {worker.pid: {"processes": 3, "threads": 2}}
