"""Probes of disks, files and memory beside the kernel's counters and their caller's clock: below limits, disk full."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.disks import accounted, file_system, flushes, loop_device
from tests.support.memory import memory_cgroup
from tests.support.quota import disk_group
from tests.support.tracing import any_kernel, trace, variant_of
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
        disk_group(device, per_second=20) as group,
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
    assert took >= 1_000_000_000  # 43 at 20 a second, less what is saved up
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


# ---------------------------------------------------------------- fsynclat, fsslower

# Times its calls by its own clock, and notes the time for which it was neither on a CPU nor waiting for one, all in ns.
CLOCK = """
import json, mmap, time
def busy():
    with open("/proc/self/schedstat") as file: return sum(map(int, file.read().split()[:2]))
def time_calls(call, count, report):
    times, used = [], busy()
    began = time.monotonic_ns()
    for number in range(count):
        start = time.monotonic_ns()
        call(number)
        times.append(time.monotonic_ns() - start)
    blocked = time.monotonic_ns() - began - (busy() - used)
    with open(report, "w") as file: json.dump({"times": times, "blocked": blocked}, file)
"""
TICKS = 20_000_000  # its time on a CPU is accounted at each tick, which is 10 ms at most: once late at either end

FLUSH = (
    CLOCK
    + """
file = os.open(sys.argv[1], os.O_RDONLY)
def work(): time_calls(lambda _: os.fsync(file), int(sys.argv[2]), sys.argv[3])
"""
)


@any_kernel
def test_waits_for_a_disk_below_a_limit_are_the_flushes_of_diskstats(tmp_path: Path) -> None:
    """A flush is a write to the limit."""
    report = tmp_path / "report"
    with (
        loop_device(tmp_path / "disk", 8 << 20) as device,
        disk_group(device, per_second=100, kind="write") as group,
        Worker(FLUSH, device, 43, report) as worker,
        trace("disk/fsynclat", pid=worker.pid) as traced,
    ):
        group.take(worker.pid)
        before = flushes(device)
        worker.work()
        flushed = flushes(device) - before
    clock = json.loads(report.read_text())
    total = traced.totals("calls", "pid")[worker.pid]
    assert total["calls"] == traced.count("latency", call="fsync") == flushed == 43
    assert total["failed"] == 0
    assert sum(clock["times"]) >= 200_000_000  # 43 at 100 a second, less what is saved up
    assert clock["blocked"] - TICKS <= total["time"] <= sum(clock["times"])
    buckets = traced.buckets("latency")
    assert sum(low * count for (low, _), count in buckets.items()) <= total["time"]
    assert sum(high * count for (_, high), count in buckets.items()) >= total["time"]
    assert traced.losses() == {}


HOLDING = [*(pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")), "raw"]


@pytest.mark.parametrize("variant", HOLDING)
def test_requests_that_a_limit_holds_back_are_told_with_their_wait(variant: str, tmp_path: Path) -> None:
    with (
        loop_device(tmp_path / "disk", 8 << 20) as device,
        disk_group(device, per_second=20) as group,
        Worker(READ, device, 43) as worker,
        Worker(READ, device, 17) as free,
        trace(variant_of("disk/iothrottled", variant), device=device) as traced,
        trace("disk/biosnoop", device=device) as requests,
    ):
        group.take(worker.pid)
        began = time.monotonic_ns()
        worker.work()
        took = time.monotonic_ns() - began
        free.work()
        served = group.reads(device)
    assert served == (43, 43 * 8192)
    # who really makes the requests that were held back
    late = sum(row["comm"].startswith("kworker") for row in requests.events(operation="read"))
    by_group = traced.totals("processes", "group")
    ours = by_group[f"/{group.folder.name}"]
    assert (ours["requests"], ours["bytes"], ours["throttled"]) == (*served, late)
    assert sum(each["throttled"] for each in by_group.values()) == late > 10
    by_process = traced.totals("processes", "pid")
    assert (by_process[free.pid]["requests"], by_process[free.pid]["throttled"]) == (17, 0)
    assert traced.losses() == {}
    if variant == "raw":
        assert by_process[None]["throttled"] == late
        return
    assert (by_process[worker.pid]["requests"], by_process[worker.pid]["throttled"]) == (43, late)
    assert 1_000_000_000 <= by_process[worker.pid]["waited"] <= took  # 43 at 20 a second, less what is saved up
    rows = [row for row in traced.rows("processes") if row["pid"] == worker.pid]
    assert 1_000_000_000 / 43 < max(row["longest"] for row in rows) <= by_process[worker.pid]["waited"]


# A read past the page cache by each of so many threads at once.
READ_TOGETHER = """
import mmap, threading
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
def read(number): os.preadv(file, [mmap.mmap(-1, 8192)], number * 65536)
def work():
    threads = [threading.Thread(target=read, args=(number,)) for number in range(int(sys.argv[2]))]
    for each in threads: each.start()
    for each in threads: each.join()
"""


@pytest.mark.parametrize("variant", HOLDING[:-1])
def test_fifty_threads_behind_a_limit_are_one_row_that_says_so(variant: str, tmp_path: Path) -> None:
    with (
        loop_device(tmp_path / "disk", 8 << 20) as device,
        disk_group(device, per_second=2) as group,  # the least that a limit can be
        Worker(READ_TOGETHER, device, 61) as worker,
        trace(variant_of("disk/iothrottled", variant), device=device) as traced,
    ):
        group.take(worker.pid)
        worker.start()
        traced.until(lambda: max([row["waiting"] for row in traced.rows("processes")], default=0) >= 50, "50 wait")
        group.unlimit(device)
        worker.finish()
        traced.until(lambda: [row["waiting"] for row in traced.rows("processes")][-1] == 0, "none waits")
        served = group.reads(device)
    total = traced.totals("processes", "pid")[worker.pid]
    assert (total["requests"], total["bytes"]) == served == (61, 61 * 8192)
    assert 50 <= total["throttled"] <= 61
    assert traced.losses() == {}


# Reads past the page cache, each one sector larger than the one before: so the result says which it was.
READ_MORE = (
    CLOCK
    + """
file, memory = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), memoryview(mmap.mmap(-1, 65536))
os.fsync(file)  # its blocks are found now, which reads more
def work(): time_calls(lambda number: os.readv(file, [memory[:512 * (number + 1)]]), int(sys.argv[2]), sys.argv[3])
"""
)


@any_kernel
def test_slow_reads_below_a_limit_are_those_by_the_readers_clock(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with file_system(tmp_path) as (device, place):
        (place / "file").write_bytes(bytes(512 * 43 * 44 // 2))
        with (
            disk_group(device, per_second=100) as group,
            Worker(READ_MORE, place / "file", 43, report) as worker,
            trace("disk/fsslower", pid=worker.pid, slower="0ns", fs="ext4") as everything,
            trace("disk/fsslower", pid=worker.pid, slower="5ms", fs="ext4") as slow,
        ):
            group.take(worker.pid)
            before = accounted(device)
            worker.work()
            reads, size = (after - before for after, before in zip(accounted(device), before, strict=True))
    clock = json.loads(report.read_text())
    by_size = {512 * (number + 1): took for number, took in enumerate(clock["times"])}
    rows, slow_rows = (each.events(name="file", operation="read") for each in (everything, slow))
    assert [row["result"] for row in rows] == list(by_size)
    assert (reads, size) == (43, sum(by_size))
    assert all(row["took"] <= by_size[row["result"]] for row in [*rows, *slow_rows])
    assert sum(by_size.values()) >= 200_000_000  # 43 at 100 a second, less what is saved up
    assert sum(row["took"] for row in rows) >= clock["blocked"] - TICKS
    took = {row["result"]: row["took"] for row in slow_rows}
    assert len(took) == len(slow_rows) > 0
    assert min(took.values()) > 5_000_000
    # what it leaves out took 5 ms a call at most
    assert sum(took.values()) + 5_000_000 * (43 - len(took)) >= clock["blocked"] - TICKS
    assert everything.losses() == slow.losses() == {}


# ---------------------------------------------------------------- writeback

# First has a number of pages written by the kernel, then more by its own fsync.
CHANGE = """
import ctypes
libc = ctypes.CDLL(None)
rounds = iter([(int(sys.argv[2]), libc.syncfs), (int(sys.argv[3]), libc.fsync)])
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
def work():
    pages, sync = next(rounds)
    for _ in range(pages): os.write(file, bytes(4096))
    if sync(file): os._exit(1)
"""


def pages_written() -> int:
    """Since boot, on the whole machine, see proc(5); the kernel adds up the CPUs' counts now and then, here at once."""
    Path("/proc/sys/vm/stat_refresh").write_text("1")
    lines = (line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return next(int(value) for name, value in lines if name == "nr_written")


@any_kernel
def test_pages_written_back_are_those_their_process_changed(tmp_path: Path) -> None:
    """The kernel's count of pages written has those of all disks, and those of fsync, which are no writeback."""
    with (
        file_system(tmp_path) as (device, place),
        Worker(CHANGE, place / "file", 1009, 503) as worker,
        trace("disk/writeback") as traced,
    ):
        start, written = io(worker)["write_bytes"], pages_written()
        worker.work()
        changed = io(worker)["write_bytes"] - start
        worker.work()
        later = io(worker)["write_bytes"] - start - changed
        written = pages_written() - written
    assert (changed, later) == (1009 * 4096, 503 * 4096)
    pages = sum(row["pages"] for row in traced.events(device=device.name))
    assert pages == changed // 4096
    assert written >= pages + later // 4096
    assert traced.losses() == {}


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
