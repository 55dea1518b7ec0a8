"""application/funcslower tells each long call of a function with its arguments, its result and its callers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, counted, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

KERNEL = [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]
NS = 20_000_000

# A function that sleeps as many ms as its third argument says, called from two places.
FUNCTIONS = """
#include <unistd.h>
long handle(long id, const char *name, long ms) { if (ms) usleep(ms * 1000); return id + 1000; }
void from_here(long id, long ms) { handle(id, "here", ms); }
void from_there(long id, long ms) { handle(id, "there", ms); }
"""
CALL = """
import ctypes
library = ctypes.CDLL(sys.argv[1])
def call(name, *numbers): getattr(library, name)(*map(ctypes.c_long, numbers))
def work():
    for n in range(7): call("from_here", n, 20)
    for n in range(41): call("from_here", n, 0)
    for n in range(5): call("from_there", 100 + n, 20)
"""


@any_kernel
@pytest.mark.needs("uprobe")
def test_slow_calls_of_a_librarys_function_with_arguments_result_and_callers(tmp_path: Path) -> None:
    library, source = tmp_path / "mine.so", tmp_path / "mine.c"
    source.write_text(FUNCTIONS)
    options = ("-shared", "-fPIC", "-O1", "-fno-omit-frame-pointer", "-fno-inline", "-fno-optimize-sibling-calls")
    subprocess.run(["cc", *options, "-o", library, source], check=True)
    with (
        Worker(CALL, library, name="caller") as worker,
        Worker(CALL, library) as other,
        trace("application/funcslower", binary=library, symbol="handle", pid=worker.pid, slower="19ms") as traced,
    ):
        worker.work()
        other.work()
    numbers = [*range(7), *range(100, 105)]
    rows = [row for row in traced.events() if row["third"] != "0x0"]  # without those that only waited for a CPU
    assert [(row["first"], row["third"], row["result"]) for row in rows] == [
        (hex(n), hex(20), hex(n + 1000)) for n in numbers
    ]
    assert len(traced.events()) < len(numbers) + 41
    names = [row["second"] for row in rows]
    assert set(names[:7]).isdisjoint(names[7:])
    assert (len(set(names[:7])), len(set(names[7:]))) == (1, 1)
    assert {(row["pid"], row["comm"], row["point"]) for row in rows} == {(worker.pid, "caller", "handle")}
    assert min(row["took"] for row in rows) >= NS
    found = traced.stacks("callers", pid=worker.pid, point="handle")
    assert counted(found) == sum(row["took"] for row in traced.events())
    assert counted(found, "from_there") == sum(row["took"] for row in rows[7:])
    assert counted(found, "from_here") >= sum(row["took"] for row in rows[:7])
    assert traced.losses() == {}


# The clocks are CLOCK_REALTIME and CLOCK_MONOTONIC; the request has been copied to the kernel by then.
SLEEP = """
import ctypes
libc = ctypes.CDLL(None)
def spec(ns): return (ctypes.c_long * 2)(0, ns)
def work():
    for clock in range(2):
        for _ in range(7): libc.clock_nanosleep(clock, 0, spec(20_000_000), None)
        for _ in range(11): libc.clock_nanosleep(clock, 0, spec(1), None)
"""


@pytest.mark.parametrize("variant", KERNEL)
def test_slow_calls_of_a_function_of_the_kernel(variant: str) -> None:
    """hrtimer_nanosleep(rqtp, mode, clockid): the mode is 1, that of a time from now."""
    probe = variant_of("application/funcslower", variant)
    with (
        Worker(SLEEP) as worker,
        Worker(SLEEP) as other,
        trace(probe, function="hrtimer_nanosleep", pid=worker.pid, slower="19ms") as traced,
    ):
        worker.work()
        other.work()
    rows = [row for row in traced.events() if row["took"] >= NS and row["first"] == hex(NS)]
    assert [(row["second"], row["third"], row["result"]) for row in rows] == [
        ("0x1", hex(clock), "0x0") for clock in (0, 1) for _ in range(7)
    ]
    if variant == "fentry":  # it knows how many there are
        assert {row["fourth"] for row in rows} == {"0x0"}
    found = traced.stacks("callers", pid=worker.pid)
    assert counted(found, "clock_nanosleep") == counted(found) == sum(row["took"] for row in traced.events())
    assert {frame["side"] for each in found for frame in each["frames"]} >= {"kernel", "user"}
    assert traced.losses() == {}
