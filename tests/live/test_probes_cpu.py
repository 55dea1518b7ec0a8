"""The probes of cpu/ count what was done, exactly, and their filters leave out the rest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker, cgroup_root, run_programs

pytestmark = pytest.mark.bpf

GETPPID = "def work():\n    for _ in range(int(sys.argv[1])): os.getppid()"
FAIL = """
def work():
    for _ in range(int(sys.argv[1])):
        try: os.close(-1)
        except OSError: pass
"""
SLEEP = "import time\ndef work():\n    for _ in range(int(sys.argv[1])): time.sleep(0.001)"
TOLD = 0.97  # the scheduler's own tracepoint does not tell of each switch: a few in a thousand were seen to lack
CALLS_AROUND = 2  # the read that wakes the worker, the write that says it is done


def test_hello_counts_the_switches_the_scheduler_counts() -> None:
    with Worker(SLEEP, 211) as worker, trace("lab/hello") as traced:
        before = worker.switches()
        worker.work()
        done = worker.switches() - before
    assert done >= 100
    assert traced.totals("switches", "pid")[worker.pid] == {"switches": done}
    assert traced.losses() == {}


# ---------------------------------------------------------------- runqlat


def test_every_wait_for_a_cpu_is_counted_once() -> None:
    with Worker(SLEEP, 211) as worker, trace("cpu/runqlat") as traced:
        before = worker.timeslices()
        worker.work()
        slices = worker.timeslices() - before
    assert slices >= 100  # of 211 sleeps: on a slow machine some are over before they begin
    assert int(slices * TOLD) <= traced.count("latency", pid=worker.pid) <= slices
    assert sum(traced.buckets("latency", pid=worker.pid).values()) == traced.count("latency", pid=worker.pid)
    assert traced.losses() == {}


def test_threads_pushed_off_their_cpu_wait_too() -> None:
    """Two busy loops on one CPU take turns, and neither ever sleeps."""
    spin = "import time\ndef work():\n    end = time.process_time() + 0.5\n    while time.process_time() < end: pass"
    with Worker(spin, cpu=0) as one, Worker(spin, cpu=0) as other, trace("cpu/runqlat") as traced:
        before = one.timeslices()
        one.start()
        other.start()
        one.finish()
        other.finish()
        slices = one.timeslices() - before
    assert slices >= 3
    assert int(slices * TOLD) <= traced.count("latency", pid=one.pid) <= slices


@any_kernel
@pytest.mark.parametrize("param", ["pid", "comm"])
def test_runqlat_filters(param: str) -> None:
    with Worker(SLEEP, 53, name="wanted") as wanted, Worker(SLEEP, 53, name="other") as other:
        value = wanted.pid if param == "pid" else "wanted"
        with trace("cpu/runqlat", **{param: value}) as traced:
            wanted.work()
            other.work()
    assert traced.count("latency") == traced.count("latency", pid=wanted.pid) > 0


# ---------------------------------------------------------------- syscount


def test_system_calls_of_loops_on_all_cpus_at_once_are_counted_exactly() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(GETPPID, 10_007, cpu=cpu)) for cpu in cpus]
        traced = stack.enter_context(trace("cpu/syscount"))
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.finish()
        assert traced.end() == 0
    by_process = traced.totals("by process", "pid")
    assert [by_process[worker.pid] for worker in workers] == [{"calls": 10_007 + CALLS_AROUND, "errors": 0}] * len(cpus)
    assert traced.totals("by system call", "system call")["getppid"]["calls"] >= 10_007 * len(cpus)
    assert traced.losses() == {}


@any_kernel
def test_failed_calls_are_told_apart() -> None:
    with Worker(FAIL, 7) as worker, trace("cpu/syscount", pid=worker.pid) as traced:
        worker.work()
    assert traced.totals("by process", "pid") == {worker.pid: {"calls": 7 + CALLS_AROUND, "errors": 7}}
    assert traced.totals("by system call", "system call") == {
        "close": {"calls": 7, "errors": 7},
        "read": {"calls": 1, "errors": 0},
        "write": {"calls": 1, "errors": 0},
    }


@any_kernel
def test_a_call_that_a_signal_cuts_short_is_counted() -> None:
    """rt_sigreturn leaves other registers than it found; what is restarted did not fail."""
    code = """
import signal
def nothing(number, frame): pass
signal.signal(signal.SIGUSR1, nothing)
def work():
    for _ in range(19): os.kill(os.getpid(), signal.SIGUSR1)
"""
    with Worker(code) as worker, trace("cpu/syscount", pid=worker.pid) as traced:
        worker.work()
    by_syscall = traced.totals("by system call", "system call")
    assert by_syscall["kill"] == by_syscall["rt_sigreturn"] == {"calls": 19, "errors": 0}
    everything = traced.totals("by process", "pid")[worker.pid]["calls"]
    assert everything == sum(calls["calls"] for calls in by_syscall.values())


@any_kernel
@pytest.mark.parametrize("by", ["process", "syscall"])
def test_one_table_can_be_left_out(by: str) -> None:
    with Worker(GETPPID, 101) as worker, trace("cpu/syscount", by=by) as traced:
        worker.work()
    filled = {
        "process": bool(traced.totals("by process", "pid")),
        "syscall": bool(traced.totals("by system call", "calls")),
    }
    assert filled == {"process": by == "process", "syscall": by == "syscall"}


@any_kernel
def test_the_name_is_the_threads_own() -> None:
    with (
        Worker(GETPPID, 101, name="wanted") as wanted,
        Worker(GETPPID, 101, name="wanted too") as other,
        trace("cpu/syscount", comm="wanted") as traced,
    ):
        wanted.work()
        other.work()
    assert traced.totals("by process", "pid") == {wanted.pid: {"calls": 101 + CALLS_AROUND, "errors": 0}}


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup with one more in it."""
    root = cgroup_root()
    if root is None:
        pytest.skip("no cgroup2 hierarchy is mounted")
    outer = root / f"ebpftop-test-{os.getpid()}"
    (outer / "inner").mkdir(parents=True)
    yield outer
    (outer / "inner").rmdir()
    outer.rmdir()


def test_a_cgroup_holds_those_below_it(cgroup: Path) -> None:
    with Worker(GETPPID, 101) as inside, Worker(GETPPID, 101) as outside:
        (cgroup / "inner/cgroup.procs").write_text(str(inside.pid))
        with trace("cpu/syscount", cgroup=cgroup) as traced:
            inside.work()
            outside.work()
    assert traced.totals("by process", "pid") == {inside.pid: {"calls": 101 + CALLS_AROUND, "errors": 0}}


# ---------------------------------------------------------------- execsnoop


def test_every_started_program_is_seen_with_its_arguments_and_parent() -> None:
    with trace("cpu/execsnoop") as traced:
        traced.until_named()
        pids = run_programs(23)
    rows = traced.events(ppid=os.getpid(), path="/bin/true", result="")
    assert [(row["pid"], row["args"]) for row in rows] == [
        (pid, f"/bin/true number {number}") for number, pid in enumerate(pids)
    ]
    assert {(row["comm"], row["user"]) for row in rows} == {("true", "root")}
    assert [row["command"] for row in rows] == [row["args"] for row in rows]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert traced.losses() == {}


def _fail_to_start(count: int) -> None:
    for _ in range(count):
        if (child := os.fork()) == 0:
            with contextlib.suppress(OSError):
                os.execv("/nonexistent/program", ["program"])
            os._exit(0)
        os.waitpid(child, 0)


@any_kernel
def test_programs_that_cannot_be_started_are_seen() -> None:
    with trace("cpu/execsnoop", failed="true") as traced:
        run_programs(5)
        _fail_to_start(7)
    assert len(traced.events(ppid=os.getpid())) == 7
    assert len(traced.events(path="/nonexistent/program", result="ENOENT")) == 7


@any_kernel
def test_a_process_that_fails_to_start_a_program_has_the_name_it_had_then() -> None:
    code = """
def work():
    for _ in range(5):
        if not (child := os.fork()):
            try: os.execv("/nonexistent/program", ["program"])
            except OSError: os.execv("/bin/true", ["true"])
        os.waitpid(child, 0)
"""
    with Worker(code, name="starting") as worker, trace("cpu/execsnoop") as traced:
        worker.work()
    rows = [(row["path"], row["comm"], row["result"]) for row in traced.events(ppid=worker.pid)]
    assert rows == [("/nonexistent/program", "starting", "ENOENT"), ("/bin/true", "true", "")] * 5


@any_kernel
def test_only_the_children_of_one_process() -> None:
    with trace("cpu/execsnoop", parent=os.getpid()) as traced:
        run_programs(11)
        run_programs(1, "/bin/sh")
    rows = traced.events()
    assert len(rows) == 12
    assert {row["ppid"] for row in rows} == {os.getpid()}
