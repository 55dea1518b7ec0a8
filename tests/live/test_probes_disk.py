"""The probes of disk/ count what was done, exactly, and their filters leave out the rest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# ---------------------------------------------------------------- opensnoop

OPEN = """
path, times = sys.argv[1], int(sys.argv[2])
def work():
    for _ in range(times):
        try: os.close(os.open(path, os.O_RDONLY))
        except OSError: pass
"""


def test_every_open_of_a_path_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    with Worker(OPEN, path, 101) as worker, trace("disk/opensnoop") as traced:
        worker.work()
    rows = traced.events(path=str(path))
    assert len(rows) == 101
    assert {(row["pid"], row["result"]) for row in rows} == {(worker.pid, "")}
    assert min(row["file"] for row in rows) >= 3
    assert min(row["took"] for row in rows) > 0
    assert traced.losses() == {}


@any_kernel
def test_opens_that_fail_are_told_apart(tmp_path: Path) -> None:
    with (
        Worker(OPEN, tmp_path, 5) as good,
        Worker(OPEN, tmp_path / "none", 7) as bad,
        trace("disk/opensnoop", failed="true") as traced,
    ):
        good.work()
        bad.work()
    assert traced.events(pid=good.pid) == []
    rows = traced.events(pid=bad.pid)
    assert [(row["path"], row["file"], row["result"]) for row in rows] == [(str(tmp_path / "none"), -1, "ENOENT")] * 7


def test_all_ways_to_open_are_seen(tmp_path: Path) -> None:
    """openat through Python, openat2 by its number; open and creat by theirs, on x86-64, which has them."""
    code = """
import ctypes, platform
older = platform.machine() == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
path = os.fsencode(sys.argv[1])
how = (ctypes.c_uint64 * 3)(os.O_RDWR, 0, 0)
def work():
    for _ in range(3): os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    for _ in range(5 * older): os.close(libc.syscall(2, path, os.O_WRONLY, 0))
    for _ in range(7 * older): os.close(libc.syscall(85, path, 0o600))
    for _ in range(11): os.close(libc.syscall(437, -100, path, ctypes.byref(how), 24))
"""
    with Worker(code, tmp_path / "x") as worker, trace("disk/opensnoop", pid=worker.pid) as traced:
        (tmp_path / "x").touch()
        worker.work()
    rows = traced.events(path=str(tmp_path / "x"))
    flags = [int(row["flags"], 16) & 0o1103 for row in rows]  # O_CREAT, O_TRUNC and how it may be accessed
    older = [1] * 5 + [0o1101] * 7 if os.uname().machine == "x86_64" else []
    assert flags == [0] * 3 + older + [2] * 11
    assert {row["pid"] for row in traced.events()} == {worker.pid}


@any_kernel
def test_only_slow_opens(tmp_path: Path) -> None:
    with Worker(OPEN, tmp_path, 11) as worker, trace("disk/opensnoop", pid=worker.pid, slower="1h") as traced:
        worker.work()
    assert traced.events() == []


# ---------------------------------------------------------------- biolatency

READ_DIRECTLY = """
import mmap
page = mmap.mmap(-1, 4096)
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
def work():
    for number in range(int(sys.argv[2])):
        os.preadv(file, [page], number * 65536)
"""


class OnDisk(NamedTuple):
    """A file that lies on a disk."""

    file: Path
    disk: str


@pytest.fixture
def on_disk() -> Iterator[OnDisk]:
    """97 times 64 KiB on the first disk that is mounted and can be written to."""
    for line in Path("/proc/mounts").read_text().splitlines():
        device, place = line.split()[:2]
        if not device.startswith("/dev/") or not os.path.isdir(place) or not os.access(place, os.W_OK):
            continue
        number = os.stat(place).st_dev
        block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
        if block.exists():
            disk = block.resolve().parent.name if (block / "partition").exists() else block.resolve().name
            with tempfile.NamedTemporaryFile(dir=place, prefix="ebpftop-test-") as file:
                file.write(bytes(97 * 65536))
                file.flush()
                os.fsync(file.fileno())
                yield OnDisk(Path(file.name), disk)
            return
    pytest.skip("no disk is mounted that can be written to")


def _reads_done(disk: str) -> int:
    """As /proc/diskstats tells: the first number after the name, see the kernel's Documentation/admin-guide/iostats."""
    for line in Path("/proc/diskstats").read_text().splitlines():
        _, _, name, reads, *_ = line.split()
        if name == disk:
            return int(reads)
    raise AssertionError(f"{disk} is not in /proc/diskstats")


@pytest.mark.parametrize("queued", ["false", "true"])
def test_requests_are_those_the_block_layer_accounts(on_disk: OnDisk, queued: str) -> None:
    disk = on_disk.disk
    with Worker(READ_DIRECTLY, on_disk.file, 97) as worker:
        before = _reads_done(disk)
        with trace("disk/biolatency", queued=queued) as traced:
            inside = _reads_done(disk)
            worker.work()
            inside = _reads_done(disk) - inside
        outside = _reads_done(disk) - before
    reads = sum(
        series["count"]
        for line in traced.lines
        for series in line["views"]["latency"]["series"]
        if series["labels"]["device"] == disk and series["labels"]["operation"].upper() == "READ"
    )
    assert 97 <= inside <= reads <= outside
    assert traced.losses() == {}


# ---------------------------------------------------------------- vfsstat

FILES = """
folder = sys.argv[1]
def work():
    for number in range(13): os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    file = os.open(f"{folder}/0", os.O_RDWR)
    for _ in range(53): os.write(file, b"x")
    for _ in range(101): os.pread(file, 1, 0)
    for _ in range(17): os.fsync(file)
    os.close(file)
"""
AROUND = 1  # the read that wakes the worker, the write that says it is done


@pytest.mark.parametrize(
    "variant", [*(pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")), "calls"]
)
def test_file_operations_are_counted_by_kind(tmp_path: Path, variant: str) -> None:
    probe = variant_of("disk/vfsstat", variant)
    folder = tmp_path / "files"
    folder.mkdir()
    with Worker(FILES, folder) as worker, trace(probe, pid=worker.pid) as traced:
        worker.work()
    assert traced.variant == variant
    assert traced.totals("operations", "pid") == {
        worker.pid: {"creates": 13, "opens": 14, "reads": 101 + AROUND, "writes": 53 + AROUND, "fsyncs": 17}
    }
    assert traced.losses() == {}
