"""Probes that keep their numbers by thread: each thread has its own, by number and name, also once it has ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ebpftop.frames.columns import unpack
from tests.support.named_threads import AGAIN, WAITS, NamedThreads, named_threads
from tests.support.tracing import Tracing, any_kernel, counted, trace

pytestmark = pytest.mark.bpf
TOLD = 0.97  # the scheduler's own tracepoint does not tell of each switch: a few in a thousand were seen to lack


def labels(threads: NamedThreads, name: str) -> dict[str, object]:
    return {"pid": threads.pid, "tid": threads.tids[name], "thread": name}


def test_waits_in_futexes_belong_to_the_thread_that_waits(tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace("cpu/futexlat", pid=threads.pid, by="thread") as traced:
        threads.work()
    assert {name: traced.count("latency", **labels(threads, name)) for name in WAITS} == WAITS
    assert traced.count("latency") == sum(WAITS.values())
    sums = traced.totals("waits", "thread")
    assert {name: (each["waits"], each["timeouts"]) for name, each in sums.items()} == {
        name: (count, count) for name, count in WAITS.items()
    }
    assert set(traced.totals("waits", "tid")) == set(threads.tids.values())
    assert traced.losses() == {}


def test_switches_and_cpu_time_belong_to_the_thread(tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace("cpu/cputop", pid=threads.pid, by="thread") as traced:
        before = {name: threads.switches(name) for name in WAITS}
        threads.work()
        done = {name: threads.switches(name) - before[name] for name in WAITS}
    assert all(done[name] >= count // 2 for name, count in WAITS.items())  # some are over before they begin
    sums = traced.totals("by_process", "thread")
    assert {name: sums[name]["switches"] for name in WAITS} == done
    assert all(sums[name]["time"] > 0 for name in WAITS)
    assert traced.losses() == {}


@pytest.mark.parametrize(("probe", "view"), [("cpu/runqlat", "latency"), ("cpu/cpudist", "time")])
def test_histograms_are_kept_by_thread(probe: str, view: str, tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace(probe, pid=threads.pid, by="thread") as traced:
        before = {name: threads.timeslices(name) for name in WAITS}
        threads.work()
        slices = {name: threads.timeslices(name) - before[name] for name in WAITS}
    for name, count in slices.items():
        assert count >= WAITS[name] // 2
        assert int(count * TOLD) <= traced.count(view, **labels(threads, name)) <= count
    assert traced.losses() == {}


def test_waits_by_call_stack_are_kept_by_thread(tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace("cpu/offcputime", pid=threads.pid, by="thread") as traced:
        threads.work()
    for name, count in WAITS.items():
        waited = counted(traced.stacks("off_cpu", **labels(threads, name)), "futex")
        assert waited >= count // 2 * 500_000


def test_system_calls_are_timed_by_thread(tmp_path: Path) -> None:
    with (
        named_threads(tmp_path) as threads,
        trace("application/syslatency", pid=threads.pid, syscall="futex", by="thread") as traced,
    ):
        threads.work()
    assert {name: traced.count("latency", **labels(threads, name), syscall="futex") for name in WAITS} == WAITS
    assert traced.count("latency") == sum(WAITS.values())
    assert traced.losses() == {}


def test_who_wakes_others_is_told_by_thread(tmp_path: Path) -> None:
    """Each thread tells the main one when it is done; by then that one waits for it."""
    with named_threads(tmp_path) as threads, trace("cpu/wakeuptime", pid=threads.pid, by="thread") as traced:
        threads.work()
    woken = traced.stacks("wakeups", pid=threads.pid, target="named-threads")
    assert {(each["labels"]["tid"], each["labels"]["thread"]) for each in woken} == {
        (tid, name) for name, tid in threads.tids.items()
    }
    assert counted(woken, "pipe_write") > 0


@any_kernel
def test_what_a_thread_did_before_it_was_renamed_stays_with_its_former_name(tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace("cpu/futexlat", pid=threads.pid, by="thread") as traced:
        threads.work()
        threads.rename()
    first = next(iter(WAITS))
    named = {**labels(threads, first), "thread": "renamed"}
    assert traced.count("latency", **labels(threads, first)) == WAITS[first]
    assert traced.count("latency", **named) == AGAIN


@any_kernel
def test_threads_that_have_ended_keep_their_counts_and_leave_the_map(tmp_path: Path) -> None:
    """Their process lives on: what they counted is counted once, and a row of theirs that has left adds to no other."""
    with named_threads(tmp_path) as threads, trace("cpu/futexlat", pid=threads.pid, by="thread") as traced:
        threads.work()
        threads.end()
        traced.until(lambda: held(traced) - {threads.pid} == {0}, "rows of ended threads are one for each name")
    of_main = traced.count("latency", tid=threads.pid)  # which waited for them to end
    assert traced.count("latency") - of_main == sum(WAITS.values())
    assert {name: traced.count("latency", **labels(threads, name)) for name in WAITS} == WAITS
    waits = traced.totals("waits", "thread")
    assert {name: waits[name]["waits"] for name in WAITS} == WAITS
    assert traced.losses() == {}


def held(traced: Tracing) -> set[int]:
    """The numbers of threads in the last sample."""
    numbers = unpack(traced.maps["waits"])["tid"]
    assert isinstance(numbers, np.ndarray)
    return set(numbers.tolist())
