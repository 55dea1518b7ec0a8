"""Probes of CPUs and processes beside the kernel's own accounts: under a CPU quota, and a limit of processes."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from signal import Signals

import pytest

from tests.support.processes import SLOWER
from tests.support.quota import cpu_group, pids_group
from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import SPIN, Worker

pytestmark = pytest.mark.bpf

SWITCH_NS = 5_000  # how much later than the scheduler the clock may be read at a switch
NEAR = 0.1  # the clock is read a little later than the scheduler does, which misses a few switches in a thousand


def waited(worker: Worker) -> int:
    """ns its first thread was runnable and not running, throttled or not, as the scheduler counts."""
    return int(Path(f"/proc/{worker.pid}/schedstat").read_text().split()[1])


def ran(worker: Worker) -> int:
    """ns its first thread was on a CPU, as the scheduler counts."""
    return int(Path(f"/proc/{worker.pid}/schedstat").read_text().split()[0])


def least(buckets: Counter[tuple[int, int]]) -> int:
    return sum(low * count for (low, _), count in buckets.items())


def most(buckets: Counter[tuple[int, int]]) -> int:
    return sum(high * count for (_, high), count in buckets.items())


# ---------------------------------------------------------------- runqlat, runqslower


def test_time_held_back_by_a_quota_is_no_wait_for_a_cpu() -> None:
    """The scheduler's account of a thread's waits holds both; the group's own has the time it was held back."""
    with (
        cpu_group(quota_us=5_000, period_us=50_000) as group,
        Worker(SPIN, 1, 0.067, cpu=0) as worker,
        trace("cpu/runqlat", pid=worker.pid) as traced,
        trace("cpu/runqslower", pid=worker.pid, slower="20ms") as slow,
    ):
        group.take(worker.pid)
        before = waited(worker)
        worker.work()
        both, times, ns = waited(worker) - before, *group.throttled()
    held, waits = traced.buckets("held"), traced.buckets("latency")
    assert times >= 5
    assert 0 < held.total() <= times + 1  # of some times it slept, and lost nothing
    assert most(held) >= ns
    assert least(waits) <= both - ns + both * NEAR
    assert least(held) + least(waits) <= both * (1 + NEAR)
    assert most(held) + most(waits) >= both * (1 - NEAR)
    assert 0 < len(slow.events(before_comm="(CPU quota)", before=0)) <= times + 1
    assert traced.losses() == slow.losses() == {}


def test_threads_that_wait_for_each_other_are_held_back_together() -> None:
    with (
        cpu_group(quota_us=5_000, period_us=50_000) as group,
        Worker(SPIN, 3, 0.067, cpu=0) as worker,
        trace("cpu/runqlat", pid=worker.pid) as traced,
    ):
        group.take(worker.pid)
        worker.work()
        times, ns = group.throttled()
    assert times >= 5
    # Some are asleep, waiting for the interpreter: where a processor is emulated, most of them.
    assert (0 if "EBPFTOP_EMULATED" in os.environ else times) < traced.count("held") <= 3 * (times + 1)
    assert most(traced.buckets("held")) >= ns
    assert traced.losses() == {}


# ---------------------------------------------------------------- throttled


def test_time_under_a_quota_is_told_apart_from_time_behind_others() -> None:
    """The group's account has what it was held back, the scheduler's what its thread ran, and waited with that."""
    with (
        cpu_group(quota_us=5_000, period_us=50_000) as group,
        Worker(SPIN, 1, 0.067, cpu=0) as worker,
        trace("cpu/throttled", pid=worker.pid) as traced,
    ):
        group.take(worker.pid)
        run, both = ran(worker), waited(worker)
        worker.work()
        run, both = ran(worker) - run, waited(worker) - both
        times, ns = group.throttled()
    told = traced.totals("processes", "pid")[worker.pid]
    assert times >= 5
    assert 0 < told["times"] <= times + 1  # of some times it slept, and lost nothing
    assert ns <= told["held"] * (1 + NEAR)
    assert abs(told["held"] + told["waited"] - both) <= both * NEAR
    # the scheduler leaves out what interrupts took, which in emulation is a lot
    assert run * (1 - NEAR) <= told["ran"] <= run * (1 + (3 * NEAR if SLOWER > 1 else NEAR))
    fraction = told["held"] / (told["ran"] + told["waited"] + told["held"])
    assert ns / (run + both) * (1 - NEAR) <= fraction <= both / (run + both) * (1 + NEAR)
    assert traced.losses() == {}


@any_kernel  # and there both have long ended when they are read last
def test_who_runs_instead_is_told_where_nobody_is_held_back() -> None:
    with (
        Worker(SPIN, 1, 0.503, name="behind", cpu=0) as worker,
        Worker(SPIN, 1, 0.503, name="instead", cpu=0) as other,
        trace("cpu/throttled") as traced,
    ):
        both = waited(worker)
        worker.start()
        other.start()
        worker.finish()
        other.finish()
        both = waited(worker) - both
    told = traced.totals("processes", "pid")
    assert told[worker.pid]["held"] == told[other.pid]["held"] == 0
    assert abs(told[worker.pid]["waited"] - both) <= both * NEAR
    behind = [row for row in traced.events("instead", pid=worker.pid) if row["other"] == other.pid]
    assert {row["other_comm"] for row in behind} == {"instead"}
    assert 0 < sum(row["waited"] for row in behind) <= told[worker.pid]["waited"]
    had = traced.totals("runners", "pid")
    assert had[other.pid]["others_waited"] >= sum(row["waited"] for row in behind)
    assert {pid: sums["others_waited"] for pid, sums in had.items()} == behind_whom(traced)
    assert traced.losses() == {}


def behind_whom(traced: Tracing) -> Counter[int]:
    """The same from the waits of each process."""
    sums = Counter[int]()
    for row in traced.events("instead"):
        sums[row["other"]] += row["waited"]
    return sums


def test_who_ran_instead_of_one_process_is_told_by_thread() -> None:
    with (
        Worker(SPIN, 1, 0.307, name="behind", cpu=0) as worker,
        Worker(SPIN, 1, 0.307, name="instead", cpu=0) as other,
        trace("cpu/throttled", pid=worker.pid, by="thread") as traced,
    ):
        worker.start()
        other.start()
        worker.finish()
        other.finish()
    (own,) = traced.totals("processes", "tid").items()
    assert (own[0], own[1]["held"]) == (worker.pid, 0)
    had = traced.events("runners", pid=other.pid)
    assert {(row["tid"], row["thread"]) for row in had} == {(other.pid, "instead")}
    sums = traced.totals("runners", "pid")
    assert 0 < sum(each["others_waited"] for each in sums.values()) <= own[1]["waited"]
    assert traced.losses() == {}


# ---------------------------------------------------------------- cputop, cpudist


@any_kernel
def test_cpu_time_under_a_quota_is_what_the_scheduler_accounts() -> None:
    with (
        cpu_group(quota_us=5_000, period_us=50_000) as group,
        Worker(SPIN, 1, 0.043) as worker,
        trace("cpu/cputop", pid=worker.pid) as used,
        trace("cpu/cpudist", pid=worker.pid) as stretches,
    ):
        group.take(worker.pid)
        before, switches = ran(worker), worker.switches()
        worker.work()
        time, switches = ran(worker) - before, worker.switches() - switches
        times, _ = group.throttled()
    assert times >= 3
    total = used.totals("by_process", "pid")[worker.pid]
    early = SWITCH_NS * (switches + 1)
    assert time - early <= total["time"] <= time * (1 + NEAR)  # the scheduler leaves out what interrupts took
    assert abs(total["switches"] - switches) <= 1
    buckets = stretches.buckets("time", pid=worker.pid)
    assert abs(buckets.total() - switches) <= 1
    assert least(buckets) <= time * (1 + NEAR)
    assert most(buckets) >= time
    assert used.losses() == stretches.losses() == {}


# ---------------------------------------------------------------- pidpersec

FORK = """
def work():
    children = []
    for _ in range(17):
        try: child = os.fork()
        except BlockingIOError: continue
        if not child:
            os.close(held)
            os.read(waited, 1)
            os._exit(5)
        children.append(child)
    os.close(held)
    for child in children: os.waitpid(child, 0)
waited, held = os.pipe()
"""


@any_kernel
def test_processes_below_a_limit_are_those_that_were_created() -> None:
    """The group may hold 8: the worker and 7 children; the kernel counts each fork in vain."""
    with (
        pids_group(8) as group,
        Worker(FORK) as worker,
        trace("cpu/pidpersec") as created,
    ):
        group.take(worker.pid)
        worker.work()
        refused = group.counts("pids.events")["max"]
    assert refused == 17 - 7
    assert created.totals("created", "pid")[worker.pid] == {"processes": 7, "threads": 0}
    assert created.losses() == {}


# ---------------------------------------------------------------- execsnoop, exitsnoop

# Creates so many processes, as many at once as it may. By turns they start a program that succeeds, one that fails and
# none, kill themselves, or exit; what wait(2) returned and how often fork failed is written down.
START = """
import collections, json
ends = [
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.execv("/bin/false", ["false"]),
    lambda: os.execv("/none", ["none"]),
    lambda: os.kill(os.getpid(), 9),
    lambda: os._exit(5),
]
def start(number):
    os.close(held)
    os.read(waited, 1)
    try: ends[number % len(ends)]()
    finally: os._exit(127)
def work():
    global waited, held
    statuses, number, refused = collections.Counter(), 0, 0
    while number < int(sys.argv[1]):
        waited, held = os.pipe()
        children = []
        while number < int(sys.argv[1]):
            try: child = os.fork()
            except BlockingIOError:
                refused += 1
                break
            if not child: start(number)
            children.append(child)
            number += 1
        os.close(waited)
        os.close(held)
        for child in children: statuses[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    with open(sys.argv[2], "w") as file: json.dump({"refused": refused, "statuses": statuses}, file)
"""


def forks() -> int:
    """Processes and threads that were created since boot, see proc(5)."""
    (line,) = (line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("processes "))
    return int(line.split()[1])


@any_kernel
def test_programs_and_exits_below_a_limit_are_those_that_wait_returned(tmp_path: Path) -> None:
    """The group may hold 8: the worker and 7 children, which start and end all at once."""
    report = tmp_path / "report"
    with (
        pids_group(8) as group,
        Worker(START, 211, report) as worker,
        trace("cpu/execsnoop", parent=worker.pid) as programs,
        trace("cpu/exitsnoop", parent=worker.pid) as exits,
    ):
        group.take(worker.pid)
        before = forks()
        worker.work()
        created = forks() - before
        refused = group.counts("pids.events")["max"]
    found = json.loads(report.read_text())
    statuses = {int(status): count for status, count in found["statuses"].items()}
    assert statuses == {0: 43, 1: 42, 127: 42, -9: 42, 5: 42}
    assert refused == found["refused"] == 211 // 7
    rows = exits.events()
    assert Counter(-int(Signals[row["signal"]]) if row["signal"] else row["status"] for row in rows) == statuses
    assert len({row["pid"] for row in rows}) == len(rows) == 211 <= created  # those of the whole machine
    assert Counter((row["path"], row["result"]) for row in programs.events()) == {
        ("/bin/true", ""): statuses[0],
        ("/bin/false", ""): statuses[1],
        ("/none", "ENOENT"): statuses[127],
    }
    assert programs.losses() == exits.losses() == {}
