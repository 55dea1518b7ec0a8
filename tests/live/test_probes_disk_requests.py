"""The probes of disk/ that watch requests to block devices report each one, on a device that nothing else uses."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import SECTOR, accounted, file_system, flushes, frozen, loop_device
from tests.support.processes import eventually
from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# Each argument after the device is COUNT×BYTES@STEP: so many reads, past the page cache, each a step behind the last.
READ = """
import mmap
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
jobs = [tuple(map(int, job.replace("@", "x").split("x"))) for job in sys.argv[2:]]
pages = {size: mmap.mmap(-1, size) for _, size, _ in jobs}
def work():
    for count, size, step in jobs:
        for number in range(1, count + 1):
            os.preadv(file, [pages[size]], number * step)
"""
SIZE = 8 << 20


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with loop_device(tmp_path / "disk", SIZE) as made:
        yield made


@pytest.mark.parametrize("variant", ["", pytest.param("getrq", marks=any_kernel)])
def test_each_request_is_told_with_its_place_and_its_maker(device: Path, variant: str) -> None:
    probe = variant_of("disk/biosnoop", variant) if variant else "disk/biosnoop"
    with (
        Worker(READ, device, "37x4096@65536", "2x16384@65536") as worker,
        trace(probe) as traced,
    ):
        before = time.monotonic_ns()
        worker.work()
        elapsed = time.monotonic_ns() - before
    rows = traced.events(device=device.name)
    places = [(number * 65536 // SECTOR, 4096) for number in range(1, 38)] + [(128, 16384), (256, 16384)]
    assert [(row["sector"], row["bytes"]) for row in rows] == places
    assert {(row["pid"], row["operation"]) for row in rows} == {(worker.pid, "read")}
    assert min(row["took"] for row in rows) > 0
    assert sum(row["queued"] + row["took"] for row in rows) < elapsed  # one after another
    assert traced.losses() == {}


OVERWRITE = """
import mmap
file, page = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT), mmap.mmap(-1, 4096)
def work():
    for number in range(41): os.pwrite(file, page, number * 65536)
    os.fsync(file)
"""


@pytest.mark.parametrize("queued", ["false", "true"])
@pytest.mark.parametrize("variant", ["", pytest.param("getrq", marks=any_kernel)])
def test_latencies_are_counted_by_who_submitted_the_request(device: Path, variant: str, queued: str) -> None:
    """Two at once; a flush is nobody's."""
    probe = variant_of("disk/biolatency", variant) if variant else "disk/biolatency"
    with (
        Worker(READ, device, "37x4096@65536") as reader,
        Worker(OVERWRITE, device) as writer,
        trace(probe, device=device, queued=queued) as traced,
    ):
        before = flushes(device)
        reader.start()
        writer.start()
        reader.finish()
        writer.finish()
        flushed = flushes(device) - before
    assert flushed == 1
    by_operation = {name: traced.count("latency", operation=name) for name in ("read", "write", "flush")}
    assert by_operation == {"read": 37, "write": 41, "flush": flushed}
    assert traced.count("latency", pid=reader.pid, device=device.name, operation="read") == 37
    assert traced.count("latency", pid=writer.pid, device=device.name, operation="write") == 41
    assert traced.count("latency") == 37 + 41 + flushed
    assert traced.losses() == {}


WRITE_BACK = """
file, page = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), bytes(4096)
os.pwrite(file, bytes(37 * 4096), 0)
os.fsync(file)
def work():
    for number in range(37): os.pwrite(file, page, number * 4096)
"""


def test_what_is_written_back_later_is_a_kworkers(tmp_path: Path) -> None:
    with (
        file_system(tmp_path) as (device, place),
        Worker(WRITE_BACK, place / "file") as worker,
        trace("disk/biolatency", device=device) as latency,
        trace("disk/biotop", device=device) as totals,
    ):
        worker.work()
        subprocess.run(["sync", "--file-system", str(place)], check=True)
    assert latency.count("latency", pid=worker.pid) == 0
    total = totals.totals("requests", "comm")
    names = [name for name in total if name.startswith("kworker")]
    assert sum(total[name]["bytes"] for name in names) >= 37 * 4096
    written = sum(total[name]["requests"] for name in names)  # biolatency looked longer
    assert sum(latency.count("latency", comm=name) for name in names) >= written >= 1
    assert latency.losses() == {}


WRITE = """
import mmap
file = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
def work():
    for number in range(5): os.pwrite(file, page, number * 4096)
"""


def test_a_write_that_the_device_holds_up_is_told_with_its_time(tmp_path: Path) -> None:
    """The device's own file lies on a file system that is frozen for a while."""
    held = 0.3
    with (
        file_system(tmp_path) as (_, place),
        loop_device(place / "disk", 1 << 20) as device,
        Worker(WRITE, device) as worker,
        trace("disk/biosnoop", device=device) as traced,
    ):
        with frozen(place):
            worker.start()
            eventually(lambda: worker.stat()[0] == "D", "its write waits", 60)
            time.sleep(held)
        worker.finish()
    rows = traced.events(pid=worker.pid)
    assert [(row["operation"], row["sector"]) for row in rows] == [("write", number * 8) for number in range(5)]
    assert rows[0]["took"] >= held * 1e9
    assert traced.losses() == {}


FILL = """
import mmap
file = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
page = mmap.mmap(-1, 1 << 20)
def work():
    for number in range(40):
        try: os.pwrite(file, page, number << 20)
        except OSError: break
"""


@any_kernel
def test_requests_that_fail_are_told(tmp_path: Path) -> None:
    """The device is larger than the file system its own file lies on has room for."""
    with (
        file_system(tmp_path) as (_, place),
        loop_device(place / "disk", 40 << 20) as device,
        Worker(FILL, device) as worker,
        trace("disk/biosnoop", device=device, failed="true") as traced,
    ):
        worker.work()
    rows = traced.events()
    assert {(row["pid"], row["operation"]) for row in rows} == {(worker.pid, "write")}
    assert {row["status"] for row in rows} <= {"NOSPC", "IOERR"}  # older drivers know one error only
    assert traced.losses() == {}


@any_kernel
def test_only_requests_of_a_process_or_slow_ones(device: Path) -> None:
    with Worker(READ, device, "5x4096@65536") as wanted, Worker(READ, device, "7x4096@65536") as other:
        with trace("disk/biosnoop", pid=wanted.pid) as traced:
            other.work()
            wanted.work()
        assert [row["pid"] for row in traced.events()] == [wanted.pid] * 5
        with trace("disk/biosnoop", slower="1h") as traced:
            wanted.work()
        assert traced.events() == []


def test_requests_are_summed_by_who_made_them(device: Path) -> None:
    with (
        Worker(READ, device, "37x4096@65536") as small,
        Worker(READ, device, "11x65536@131072") as large,
        trace("disk/biotop") as traced,
    ):
        reads, size = accounted(device)
        small.work()
        large.work()
        reads, size = accounted(device)[0] - reads, accounted(device)[1] - size
    lines = [line["views"]["requests"] for line in traced.lines]
    assert {column["name"] for column in lines[0]["columns"]} >= {"device", "operation"}
    total = traced.totals("requests", "pid")
    assert (total[small.pid]["requests"], total[small.pid]["bytes"]) == (37, 37 * 4096)
    assert (total[large.pid]["requests"], total[large.pid]["bytes"]) == (11, 11 * 65536)
    assert total[large.pid]["took"] > 0
    assert (reads, size) == (48, 37 * 4096 + 11 * 65536)
    assert device.name in traced.totals("requests", "device")
    assert traced.losses() == {}


def test_sizes_of_requests_are_counted_by_process(device: Path) -> None:
    with (
        Worker(READ, device, "13x4096@65536", "7x16384@65536", "3x65536@131072") as worker,
        trace("disk/bitesize", pid=worker.pid) as traced,
    ):
        worker.work()
    assert {low: count for (low, _), count in traced.buckets("sizes").items()} == {4096: 13, 16384: 7, 65536: 3}
    assert traced.count("sizes", pid=worker.pid) == 23
    assert traced.losses() == {}


def test_flushes_have_no_size(device: Path) -> None:
    """Each write is followed by a flush, which is a request without data."""
    code = """
import mmap
file, page = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT), mmap.mmap(-1, 8192)
def work():
    for number in range(13):
        os.pwrite(file, page, number * 65536)
        os.fsync(file)
"""
    with (
        Worker(code, device) as worker,
        trace("disk/bitesize", pid=worker.pid) as traced,
    ):
        worker.work()
    assert traced.buckets("sizes") == {(8192, 9216): 13}


def test_reads_in_order_are_told_from_jumps(device: Path) -> None:
    """After the first of each kind, reads a page behind the last go on where it ended."""
    with (
        Worker(READ, device, "29x4096@4096", "17x4096@65536") as worker,
        trace("disk/biopattern", device=device) as traced,
    ):
        worker.work()
    total = traced.totals("pattern", "device")[device.name]
    assert (total["sequential"], total["random"], total["bytes"]) == (28, 1 + 17, 46 * 4096)
    assert set(traced.totals("pattern", "device")) == {device.name}
    assert traced.losses() == {}
