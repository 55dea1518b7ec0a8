"""The probes of memory/ that watch memory shortage report the allocating process, the victim, and the outcome."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.support.memory import memory_cgroup
from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

PAGE = 4096

# Children that join a group and want more than it may have; their numbers go to a file.
GREEDY = """
procs, log = sys.argv[1:3]
def work():
    for _ in range(3):
        child = os.fork()
        if not child:
            with open(log, "a") as file: file.write(f"{os.getpid()}\\n")
            with open("/proc/self/oom_score_adj", "w") as file: file.write("17")
            with open("/proc/self/comm", "w") as file: file.write("greedy")
            with open(procs, "w") as file: file.write("0")
            bytearray(256 << 20)
            os._exit(0)
        os.waitpid(child, 0)
"""


@pytest.mark.parametrize("variant", ["raw", pytest.param("kprobe", marks=pytest.mark.needs("kprobe"))])
def test_each_process_killed_for_memory_is_told(tmp_path: Path, variant: str) -> None:
    probe = variant_of("memory/oomkill", variant)
    with (
        memory_cgroup(limit=16 << 20) as group,
        Worker(GREEDY, group.procs, tmp_path / "log") as worker,
        trace(probe) as traced,
    ):
        worker.work()
    victims = [int(line) for line in (tmp_path / "log").read_text().splitlines()]
    rows = [row for row in traced.events() if row["pid"] in victims]
    assert [row["pid"] for row in rows] == victims
    assert [row["trigger"] for row in rows] == victims
    assert {(row["comm"], row["trigger_comm"], row["user"], row["adjusted"]) for row in rows} == {
        ("greedy", "greedy", "root", 17)
    }
    for row in rows:
        assert (8 << 20) / PAGE < row["resident"] < (64 << 20) / PAGE  # what it got, and what is no memory of its own
        assert row["virtual"] > (256 << 20) / PAGE
    assert traced.losses() == {}


# A child fills the group with pages of a file, all of them on the disk already: they are freed by asking.
FREE = """
procs, path, emptier, size, pages = sys.argv[1:]
child = os.fork()
if not child:
    with open(procs, "w") as file: file.write("0")
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, bytes(int(pages) * 4096))
    os.fsync(file)
    os._exit(0)
os.waitpid(child, 0)
def work():
    try:
        with open(emptier, "w") as file: file.write(size)
    except OSError: pass  # less was there
"""


def test_memory_a_process_has_to_free_itself_is_told(tmp_path: Path) -> None:
    with memory_cgroup() as group:
        file, size = group.emptier
        with (
            Worker(FREE, group.procs, tmp_path / "file", file, size, 1021) as worker,
            trace("memory/drsnoop", pid=worker.pid) as traced,
        ):
            before = time.monotonic_ns()
            worker.work()
            elapsed = time.monotonic_ns() - before
    rows = traced.events()
    assert {(row["pid"], row["scope"], row["order"]) for row in rows} == {(worker.pid, "cgroup", 0)}
    assert 1021 <= sum(row["reclaimed"] for row in rows) <= 1021 + 64  # and a few of the kernel's own caches
    assert 0 < sum(row["took"] for row in rows) < elapsed
    assert traced.losses() == {}


COMPACT = """
def work():
    for _ in range(3):
        with open("/proc/sys/vm/compact_memory", "w") as file: file.write("1")
"""


def test_each_zone_is_compacted_when_asked() -> None:
    """The kernel's list of zones is the second witness: those with pages are compacted, each by itself."""
    zones = re.findall(r"zone +(\w+)(?:\n(?!Node).*)*?\n +present +(\d+)", Path("/proc/zoneinfo").read_text())
    populated = [name for name, present in zones if int(present)]
    with Worker(COMPACT) as worker, trace("memory/compactsnoop") as traced:
        worker.work()
    rows = traced.events(pid=worker.pid)
    assert [(row["zone"], row["order"], row["waits"]) for row in rows] == [(name, -1, 1) for name in populated] * 3
    assert {row["result"] for row in rows} <= {"COMPLETE", "PARTIAL_SKIPPED", "CONTENDED"}
    assert min(row["took"] for row in rows) > 0
    assert traced.losses() == {}


# An open file is one object of the cache filp, as it is called since Linux 2; closed ones are freed later.
OPEN = """
def work():
    for _ in range(101): os.close(os.open("/proc/self/stat", os.O_RDONLY))
"""


def test_allocations_are_counted_by_cache() -> None:
    with Worker(OPEN) as worker, trace("memory/slabratetop", pid=worker.pid) as traced:
        worker.work()
    total = traced.totals("caches", "name")
    assert total["filp"]["allocations"] == 101
    (size,) = {row["size"] for row in traced.events("caches", name="filp")}
    assert total["filp"]["bytes"] == 101 * size
    assert total["kmalloc"]["allocations"] >= 101  # the buffer each open of this file gets
    assert traced.losses() == {}


@any_kernel
def test_allocations_of_others_are_left_out() -> None:
    with (
        Worker(OPEN) as worker,
        Worker(OPEN, name="another") as other,
        trace("memory/slabratetop", comm="another") as traced,
    ):
        worker.work()
        other.work()
    assert traced.totals("caches", "name")["filp"]["allocations"] == 101
