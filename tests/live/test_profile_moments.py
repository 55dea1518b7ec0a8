"""A burst of 300 ms every half minute, on one CPU beside a loop that fills another one.

One period of 30 s is recorded: more of them are alike, and only take longer. A thread of real-time priority makes the
burst, so that a busy machine doesn't spread it over time; a filter by process keeps the machine's other work out.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ebpftop.frames.messages import Detached, Snapshot
from ebpftop.frames.tape import TapeReader
from ebpftop.model.past.span import START, Span
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.stacks import Profile, profile, sampled, samples
from ebpftop.stats.strip import NS, Strip
from tests.support.command import complaint, ebpftop
from tests.support.tracing import any_kernel

pytestmark = [pytest.mark.bpf, any_kernel]

FREQUENCY = 99
SECONDS, BURST_AT, BURST = 30, 17.35, 0.3
FULL = 0.6  # of the samples that a busy CPU has in a part of a second: one may fall beside it

PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}
static volatile long sum;
__attribute__((noinline)) void burst(int n) { for (int i = 0; i < n; i++) sum += i; }
__attribute__((noinline)) void fill(int n) { for (int i = 0; i < n; i++) sum += 3L * i; }

static void pin(int cpu)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    pthread_setaffinity_np(pthread_self(), sizeof(only), &only);
}
static void *filling(void *cpu)
{
    pin((long)cpu);
    for (;;)
        fill(100000);
}
int main(int count, char **arguments)
{
    pthread_t thread;
    pthread_create(&thread, NULL, filling, (void *)atol(arguments[1]));
    pin(atoi(arguments[2]));
    struct sched_param first = {.sched_priority = 1};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
    puts("ready");
    fflush(stdout);
    getchar();
    double at = now() + atof(arguments[3]);
    struct timespec until = {(time_t)at, (long)((at - (time_t)at) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    double start = now();
    while (now() < start + 0.3)
        burst(20000);
    printf("%.6f %.6f\n", start, now());
    fflush(stdout);
    for (;;)
        sched_yield(), clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){60, 0}, NULL);
}
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Span, int]:
    """What the profile of one period knows at its end, when the burst was, and on which CPU."""
    folder = tmp_path_factory.mktemp("burst")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    busy, other = cpus[0], cpus[-1]
    options = ("-O1", "-fno-omit-frame-pointer", "-pthread")
    subprocess.run(["cc", *options, "-o", folder / "work", "-xc", "-"], input=PROGRAM, text=True, check=True)
    arguments = [folder / "work", str(busy), str(other), str(BURST_AT)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as work:
        assert work.stdout is not None
        assert work.stdin is not None
        try:
            assert work.stdout.readline() == "ready\n"
            work.stdin.write("\n")
            work.stdin.flush()
            tape = folder / "burst.tape"
            params = ["-p", f"pid={work.pid}", "-p", f"frequency={FREQUENCY}"]
            done = ebpftop("record", "-o", tape, "cpu/profile", *params, "--duration", SECONDS)
            assert done.returncode == 0, complaint(done, 0)
            start, stop = (round(float(each) * NS) for each in work.stdout.readline().split())
        finally:
            work.kill()
    return replayed(tape), Span(start, stop), other


def replayed(tape: Path) -> Run:
    session = Session()
    reader = TapeReader(tape)
    for _, frame in reader:
        session.feed(frame)
        if isinstance(frame, Snapshot | Detached):
            (run,) = session.runs.values()
    reader.close()
    return run


def through(found: Profile, function: str) -> int:
    """Samples in stacks that hold a function."""
    names = np.array([each.name == function for each in found.functions])
    return sum(int(count) for stack, count in zip(found.stacks, found.counts, strict=True) if names[stack].any())


def stretches(strip: Strip) -> list[Span]:
    """Where the strip is full for longer than a moment, as an eye sees it."""
    least = FULL * FREQUENCY * strip.part / NS
    full = np.flatnonzero(np.append(strip.counts.T.reshape(-1), 0) >= least)
    parts = np.split(full, np.flatnonzero(np.diff(full) > 1) + 1)
    return [
        Span(strip.begin + int(part[0]) * strip.part, strip.begin + (int(part[-1]) + 1) * strip.part)
        for part in parts
        if len(part) >= 3
    ]


def test_a_burst_is_found_on_the_strip_and_fills_its_slice(recorded: tuple[Run, Span, int]) -> None:
    run, burst, cpu = recorded
    (view,) = run.views
    assert run.losses.lost == 0
    begin = burst.start // NS * NS - 20 * NS
    seen = Span(begin, begin + 40 * NS)
    strip = Strip.of(samples(run, view, seen, cpu)["time"], begin, 40, 20)
    (found,) = stretches(strip)
    assert abs(found.start - burst.start) <= strip.part
    assert abs(found.end - burst.end) <= strip.part
    part = sampled(run, view, found, cpu)
    assert through(part, "burst") >= 0.9 * part.counts.sum()
    assert part.counts.sum() >= 0.8 * FREQUENCY * BURST
    assert part.counts.sum() == strip.count(found.start, found.end)


def test_the_whole_hardly_shows_it(recorded: tuple[Run, Span, int]) -> None:
    run, _, _ = recorded
    (view,) = run.views
    whole = profile(run, view, START)
    burst, fill = through(whole, "burst"), through(whole, "fill")
    assert 0 < burst < 0.02 * FREQUENCY * SECONDS  # of a CPU that is filled: on a busy machine the loop gets less
    assert burst < 0.1 * fill
    assert burst + fill > 0.9 * whole.counts.sum()


def test_counts_and_single_samples_are_the_same(recorded: tuple[Run, Span, int]) -> None:
    run, _, _ = recorded
    (view,) = run.views
    counted = profile(run, view, START)
    single = sampled(run, view, Span())
    assert single.counts.sum() == counted.counts.sum()
    for function in ("burst", "fill"):
        assert through(single, function) == through(counted, function)
