"""The probes that count by call stack name the functions that are known to be at work, for as long as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.tracing import Tracing, trace
from support.workloads import Worker

pytestmark = pytest.mark.bpf

FREQUENCY = 49
LOST = "stack lost"  # by chance: where two stacks fall in one place of the kernel's map, the second is not kept
# Samples are taken at times of their own: in a second of CPU time, in pieces of any length, there are about as many as
# the frequency says. A timer that is late takes its sample late, or leaves it out.
LEAST, MOST = 0.8, 1.25

# One second of CPU time in zlib, in its user code, and one in the kernel's random numbers.
CHECKSUMS = "import time, zlib\ndata = bytes(1 << 20)\n"
CHECKSUMS += "def work():\n    end = time.process_time() + 1\n    while time.process_time() < end: zlib.crc32(data)"
RANDOM = "import time\n"
RANDOM += "def work():\n    end = time.process_time() + 1\n    while time.process_time() < end: os.getrandom(1 << 20)"


def stacks(traced: Tracing, view: str, **labels: Any) -> list[dict[str, Any]]:
    """The stacks of all lines whose labels are these."""
    return [
        each
        for line in traced.lines
        for each in line["views"][view]["stacks"]
        if labels.items() <= each["labels"].items()
    ]


def total(found: list[dict[str, Any]], *names: str) -> int:
    """What the stacks count in which one of these functions is."""
    return sum(
        each["count"]
        for each in found
        if not names or any(name in frame["name"] for frame in each["frames"] for name in names)
    )


def cpu_seconds(worker: Worker) -> tuple[float, float]:
    """User and system time, as the kernel accounts them."""
    user, system = (int(worker.stat()[field]) / os.sysconf("SC_CLK_TCK") for field in (11, 12))
    return user, system


def test_samples_are_where_the_cpu_time_goes() -> None:
    with Worker(CHECKSUMS) as user, Worker(RANDOM) as kernel, trace("cpu/profile") as traced:
        before = [sum(cpu_seconds(worker)) for worker in (user, kernel)]
        user.work()
        kernel.work()
        used = [sum(cpu_seconds(worker)) - then for worker, then in zip((user, kernel), before, strict=True)]
        assert traced.end() == 0
    in_user, in_kernel = (stacks(traced, "samples", pid=worker.pid) for worker in (user, kernel))
    for found, seconds in zip((in_user, in_kernel), used, strict=True):
        assert LEAST * FREQUENCY * seconds <= total(found) <= MOST * FREQUENCY * seconds
    assert total(in_user, "crc32", LOST) >= 0.9 * total(in_user)
    assert total(in_kernel, "getrandom", LOST) >= 0.9 * total(in_kernel)
    assert total(in_user, "crc32") > 0.5 * total(in_user)
    assert {frame["side"] for each in in_kernel for frame in each["frames"] if "chacha" in frame["name"]} == {"kernel"}
    assert traced.losses() == {}


def test_time_off_the_cpu_is_told_with_what_a_thread_waits_in() -> None:
    sleep = "import time\ndef work():\n    for _ in range(29): time.sleep(0.01)"
    with Worker(sleep) as worker, trace("cpu/offcputime", pid=worker.pid, min="5ms") as traced:
        worker.work()
        assert traced.end() == 0
    found = stacks(traced, "off_cpu", pid=worker.pid)
    slept = total(found, "nanosleep")
    assert 0.29e9 <= slept <= total(found)
    for each in found:
        assert each["frames"][-1]["name"] in ("__schedule", "schedule")  # and not in the program that took the stack
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
    woken = stacks(traced, "wakeups", pid=writer.pid)
    assert {each["labels"]["target"] for each in woken} == {"reader"}
    assert total(woken, "pipe_write") == total(woken) >= 17 * 0.01e9
    assert traced.losses() == {}
