"""Probes that keep their numbers by thread: each thread has its own, by number and name, also once it has ended."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ebpftop.frames.columns import unpack
from tests.support.named_threads import AGAIN, WAITS, NamedThreads, named_threads
from tests.support.processes import SLOWER
from tests.support.tracing import Tracing, any_kernel, counted, trace

pytestmark = pytest.mark.bpf

SPINNING = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile long sum;
__attribute__((noinline)) void first(void) { for (int i = 0; i < 100000; i++) sum += i; }
__attribute__((noinline)) void second(void) { for (int i = 0; i < 100000; i++) sum -= i; }
static void *spin(void *is_first)
{
    struct timespec used;
    pthread_setname_np(pthread_self(), is_first ? "first" : "second");
    do {
        if (is_first)
            first();
        else
            second();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < (is_first ? 1000 : 500));
    printf("%d\n", gettid());
    fflush(stdout);
    for (;;)
        pause();
}
int main(void)
{
    pthread_t thread;
    getchar();
    pthread_create(&thread, NULL, spin, "");
    spin(NULL);
}
"""
FREQUENCY, DEVIATIONS = 199, 4  # see test_probes_stacks.py
SPINS = {"first": 1.0, "second": 0.5}  # seconds of CPU time that each of these threads uses in the function of its name
GIVEN = 0.5 if SLOWER > 1 else 1  # an emulated machine's timers are late, and leave samples out
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


@any_kernel
def test_waits_by_call_stack_are_kept_by_thread(tmp_path: Path) -> None:
    with named_threads(tmp_path) as threads, trace("cpu/offcputime", pid=threads.pid, by="thread") as traced:
        threads.work()
    for name, count in WAITS.items():
        waited = counted(traced.stacks("off_cpu", **labels(threads, name)), "futex")
        assert waited >= count // 2 * 500_000


@pytest.mark.parametrize("unwind", ["fp", "dwarf"])
def test_samples_are_kept_by_thread(unwind: str, tmp_path: Path) -> None:
    """Those that the kernel counts, and those that are counted where stacks are unwound."""
    program = tmp_path / "spinning"
    subprocess.run(["cc", "-O2", "-pthread", "-o", program, "-xc", "-"], input=SPINNING, text=True, check=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([program], text=True, **pipes) as spinning:
        try:
            params = {"pid": spinning.pid, "frequency": FREQUENCY, "by": "thread", "unwind": unwind}
            with trace("cpu/profile", **params) as traced:
                spinning.stdin.write("\n")
                spinning.stdin.flush()
                tids = {int(spinning.stdout.readline()) for _ in SPINS}
                assert traced.end() == 0
        finally:
            spinning.kill()
    found = {name: traced.stacks("samples", pid=spinning.pid, thread=name) for name in SPINS}
    assert {each["labels"]["tid"] for stacks in found.values() for each in stacks} == tids
    assert {each["labels"]["tid"] for each in found["second"]} == {spinning.pid}
    for (name, seconds), other in zip(SPINS.items(), reversed(SPINS), strict=True):
        expected = FREQUENCY * seconds
        spread = DEVIATIONS * math.sqrt(expected)
        assert GIVEN * expected - spread <= counted(found[name]) <= expected + spread
        assert counted(found[name], other) == 0
        assert counted(found[name], name) >= 0.9 * counted(found[name])
    assert traced.losses() == {}


def test_system_calls_are_timed_by_thread(tmp_path: Path) -> None:
    with (
        named_threads(tmp_path) as threads,
        trace("application/syslatency", pid=threads.pid, syscall="futex", by="thread") as traced,
    ):
        threads.work()
    assert {name: traced.count("latency", **labels(threads, name), syscall="futex") for name in WAITS} == WAITS
    assert traced.count("latency") == sum(WAITS.values())
    assert traced.losses() == {}


@any_kernel
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
