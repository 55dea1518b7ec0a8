"""The probes that count by call stack name the functions that are known to run, while they run."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import pytest

from tests.support.processes import SLOWER
from tests.support.tracing import counted, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

FREQUENCY = 199
LOST = "stack lost"  # by chance: where two stacks fall in one place of the kernel's map, the second is not kept
LATE = "not read in time"  # where others have the CPU: a stack that says so in place of what it lacks
# A sample is taken of whatever runs at a moment, so how many hit a process that had the CPU for n moments in pieces
# differs by the root of n; four of them are hardly ever seen.
DEVIATIONS = 4
KEPT = 0.0 if SLOWER > 1 else 0.5  # more of the stacks than this: an emulated machine unwinds few of those it copies
GIVEN = 0.5 if SLOWER > 1 else 1  # an emulated machine's timers are late, and leave samples out

# One second of CPU time in zlib, in its user code, and one in the kernel's random numbers.
CHECKSUMS = "import time, zlib\ndata = bytes(1 << 20)\n"
CHECKSUMS += "def work():\n    end = time.process_time() + 1\n    while time.process_time() < end: zlib.crc32(data)"
RANDOM = "import time\n"
RANDOM += "def work():\n    end = time.process_time() + 1\n    while time.process_time() < end: os.getrandom(1 << 20)"


def cpu_seconds(worker: Worker) -> tuple[float, float]:
    """User and system time, as the kernel accounts them."""
    user, system = (int(worker.stat()[field]) / os.sysconf("SC_CLK_TCK") for field in (11, 12))
    return user, system


def test_samples_are_where_the_cpu_time_goes() -> None:
    with Worker(CHECKSUMS) as user, Worker(RANDOM) as kernel, trace("cpu/profile", frequency=FREQUENCY) as traced:
        before = [sum(cpu_seconds(worker)) for worker in (user, kernel)]
        user.work()
        kernel.work()
        used = [sum(cpu_seconds(worker)) - then for worker, then in zip((user, kernel), before, strict=True)]
        assert traced.end() == 0
    in_user, in_kernel = (traced.stacks("samples", pid=worker.pid) for worker in (user, kernel))
    for found, seconds in zip((in_user, in_kernel), used, strict=True):
        expected = FREQUENCY * seconds
        least = expected * GIVEN - DEVIATIONS * math.sqrt(expected)
        assert least <= counted(found) <= expected + DEVIATIONS * math.sqrt(expected)
    assert counted(in_user, "crc32", LOST, LATE) >= 0.9 * counted(in_user)
    assert counted(in_kernel, "getrandom", LOST, LATE) >= 0.9 * counted(in_kernel)
    assert counted(in_user, "crc32") > KEPT * counted(in_user)
    assert {frame["side"] for each in in_kernel for frame in each["frames"] if "chacha" in frame["name"]} == {"kernel"}
    assert traced.losses() == {}


def test_time_off_the_cpu_is_told_with_what_a_thread_waits_in() -> None:
    """Python sleeps until a moment it works out before: what delays it in between is taken from its sleep."""
    sleep = "import time\ndef work():\n    for _ in range(29): time.sleep(0.01)"
    with Worker(sleep) as worker, trace("cpu/offcputime", pid=worker.pid, min="5ms") as traced:
        worker.work()
        assert traced.end() == 0
    found = traced.stacks("off_cpu", pid=worker.pid)
    slept = counted(found, "nanosleep", LOST)
    assert 0.9 * 0.29e9 <= slept <= counted(found)
    assert counted(found, "nanosleep") > 0.5 * slept
    for each in found:  # and not in the program that took the stack
        assert each["frames"][-1]["name"] in ("__schedule", "schedule") or counted([each], LOST)
    assert traced.losses() == {}


def test_who_wakes_a_thread_is_told_with_how_long_it_was_blocked(tmp_path: Path) -> None:
    """Bytes through a pipe, each a while after the one before was read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = "import time\nend = os.open(sys.argv[1], os.O_RDWR)\ndef work():\n    for _ in range(17): "
    with (
        Worker(f"{end}os.read(end, 1)", pipe, name="reader") as reader,
        Worker(f"{end}time.sleep(0.02); os.write(end, b'x')", pipe) as writer,
        trace("cpu/wakeuptime", pid=reader.pid, min="10ms") as traced,
    ):
        reader.start()
        writer.work()
        reader.finish()
        assert traced.end() == 0
    woken = traced.stacks("wakeups", pid=writer.pid)
    assert {each["labels"]["target"] for each in woken} == {"reader"}
    assert counted(woken, "pipe_write") == counted(woken) >= 17 * 0.01e9
    assert traced.losses() == {}


def test_what_the_kernel_holds_is_told_until_it_is_given_back() -> None:
    """A pipe takes memory for its buffers, and gives it back when it is closed."""
    code = "ends = []\ndef work():\n    if ends:\n        [os.close(end) for end in ends]; ends.clear()\n"
    code += "    else:\n        for _ in range(101): ends.extend(os.pipe())"

    def held() -> int:
        """Bytes of pipes now, without what the allocator needs for itself."""
        last = traced.lines[-1]["views"]["outstanding"]["stacks"]
        return counted([each for each in last if not counted([each], "slab")], "alloc_pipe_info")

    with Worker(code) as worker, trace("memory/memleak", pid=worker.pid) as traced:
        worker.work()
        traced.until(lambda: held() >= 101 * 512, "the memory of 101 pipes is told")
        worker.work()
        traced.until(lambda: held() == 0, "none is told any more")
    assert traced.losses() == {}


def test_a_run_queue_is_as_long_as_threads_wait_for_its_cpu() -> None:
    spin = "import time\ndef work():\n    end = time.monotonic() + 1.5\n    while time.monotonic() < end: pass"
    cpu = max(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(spin, cpu=cpu)) for _ in range(4)]
        traced = stack.enter_context(trace("cpu/runqlen"))
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.finish()
        assert traced.end() == 0
    lengths = traced.buckets("lengths", cpu=cpu)
    long = sum(count for (low, _), count in lengths.items() if low >= 3)
    assert long >= GIVEN * 0.5 * 99 * 1.5  # one of the four runs, the others wait
    assert traced.losses() == {}
