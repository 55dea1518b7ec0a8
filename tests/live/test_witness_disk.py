"""Probes of disks, files and memory beside the kernel's own counters: under limits, and on a full disk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.disks import accounted, file_system, loop_device
from tests.support.memory import memory_cgroup
from tests.support.quota import disk_group
from tests.support.tracing import trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# ---------------------------------------------------------------- requests

# Reads past the page cache, one after another.
READ = """
import mmap
file, page = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 8192)
def work():
    for number in range(int(sys.argv[2])): os.preadv(file, [page], number * 65536)
"""


def test_requests_below_a_limit_are_those_of_diskstats(tmp_path: Path) -> None:
    """The limit holds reads back before they are requests, which a kernel thread then makes: their process and that
    time are unknown, as the probes say."""
    with (
        loop_device(tmp_path / "disk", 8 << 20) as device,
        disk_group(device, reads_per_second=100) as group,
        Worker(READ, device, 43) as worker,
        trace("disk/biolatency", device=device) as latency,
        trace("disk/biosnoop", device=device) as requests,
        trace("disk/biotop", device=device) as by_process,
        trace("disk/bitesize", device=device) as sizes,
        trace("disk/biopattern", device=device) as pattern,
    ):
        group.take(worker.pid)
        before = accounted(device)
        began = time.monotonic_ns()
        worker.work()
        took = time.monotonic_ns() - began
        reads, size = (after - before for after, before in zip(accounted(device), before, strict=True))
    assert (reads, size) == (43, 43 * 8192)
    assert latency.count("latency", device=device.name, operation="read") == reads
    rows = requests.events(operation="read")
    assert (len(rows), sum(row["bytes"] for row in rows)) == (reads, size)
    assert {row["comm"].partition("/")[0] for row in rows if row["pid"] != worker.pid} == {"kworker"}
    total = by_process.totals("requests", "operation")["read"]
    assert (total["requests"], total["bytes"]) == (reads, size)
    assert sizes.buckets("sizes") == {(8192, 9216): reads}
    found = pattern.totals("pattern", "device")[device.name]
    assert (found["sequential"] + found["random"], found["bytes"]) == (reads, size)
    assert took >= 200_000_000  # 43 at 100 a second, less what is saved up
    assert sum(row["queued"] + row["took"] for row in rows) < took / 2
    for each in (latency, requests, by_process, sizes, pattern):
        assert each.losses() == {}


# ---------------------------------------------------------------- files

FILL = """
chunk, failed = bytes(65536), 0
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
def work():
    failed = 0
    while failed < 7:
        try: os.write(file, chunk)
        except OSError: failed += 1
"""


def io(worker: Worker) -> dict[str, int]:
    """What the kernel has counted of its reads and writes, see proc_pid_io(5)."""
    lines = Path(f"/proc/{worker.pid}/io").read_text().splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def test_writes_to_a_full_disk_are_those_of_proc(tmp_path: Path) -> None:
    """Beside its file the worker writes one byte to a pipe, when it is done."""
    with (
        file_system(tmp_path) as (_, place),
        Worker(FILL, place / "file") as worker,
        trace("disk/vfsstat", pid=worker.pid) as operations,
        trace("disk/filetop", pid=worker.pid) as files,
    ):
        before = io(worker)
        worker.work()
        calls, size = (io(worker)[name] - before[name] for name in ("syscw", "wchar"))
    assert operations.totals("operations", "pid")[worker.pid]["writes"] == calls
    written = files.totals("files", "name")["file"]
    assert (written["writes"], written["written"]) == (calls - 1 - 7, size - 1)
    assert operations.losses() == files.losses() == {}


# ---------------------------------------------------------------- memory

# Reads a mapped file, larger than the group may keep in memory, twice.
MAPPED = """
import mmap
file = os.open(sys.argv[1], os.O_RDONLY)
os.fsync(file)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # whoever wrote it is charged with its pages
memory = mmap.mmap(file, 0, prot=mmap.PROT_READ)
memory.madvise(mmap.MADV_RANDOM)
def work():
    for _ in range(2):
        for page in range(0, len(memory), 4096): memory[page]
"""


def test_faults_below_a_limit_of_memory_are_those_of_proc(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(6 << 20))
    with (
        memory_cgroup(limit=2 << 20) as group,
        Worker(MAPPED, tmp_path / "file") as worker,
        trace("memory/pagefaults", pid=worker.pid) as traced,
    ):
        group.procs.write_text(str(worker.pid))
        before, major = worker.faults(), worker.major_faults()
        worker.work()
        faults, major = worker.faults() - before, worker.major_faults() - major
    counted = traced.totals("faults", "pid")[worker.pid]
    assert major > 0
    assert counted["user"] + counted["kernel"] == faults
    assert traced.losses() == {}
