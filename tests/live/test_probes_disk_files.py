"""The probes of disk/ that watch file operations report file, file system and operation, and leave out the rest."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import file_system, frozen
from tests.support.processes import eventually
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# On a file, and on one in memory; then on a pipe, which is no file.
USE = """
path = sys.argv[1]
memory = os.memfd_create("in memory")
r, w = os.pipe()
page = bytearray(4096)
def work():
    for _ in range(13): os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    file = os.open(path, os.O_RDWR)
    for _ in range(11): os.write(file, page)
    for _ in range(3): os.pwrite(file, page, 0)
    for _ in range(2): os.writev(file, [page, page])
    for _ in range(17): os.fsync(file)
    for _ in range(2): os.fdatasync(file)
    os.lseek(file, 0, 0)
    for _ in range(7): os.read(file, 4096)
    for _ in range(5): os.pread(file, 4096, 0)
    for _ in range(1): os.readv(file, [page])
    os.close(file)
    for _ in range(29): os.pwrite(memory, page, 0)
    for _ in range(31): os.write(w, b"x")
    for _ in range(31): os.read(r, 1)
    for _ in range(37):
        try: os.close(os.open(path + "/none", os.O_RDONLY))
        except OSError: pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with file_system(tmp_path) as (_, mounted):
        yield mounted


def test_files_are_told_with_what_was_read_and_written(place: Path) -> None:
    with Worker(USE, place / "the file") as worker, trace("disk/filetop") as traced:
        worker.work()
        inode = (place / "the file").stat().st_ino
    files = {(row["name"], row["fs"], row["inode"]) for row in traced.events("files", pid=worker.pid)}
    assert {file[:2] for file in files} == {("the file", "ext4"), ("memfd:in memory", "tmpfs")}
    assert ("the file", "ext4", inode) in files
    total = traced.totals("files", "name")
    assert total["the file"] == {"reads": 13, "writes": 16, "read": 13 * 4096, "written": 18 * 4096}
    assert total["memfd:in memory"]["writes"] == 29
    assert traced.losses() == {}


OPERATIONS = {"read": 13, "write": 16, "open": 14, "sync": 19}


def test_operations_are_counted_by_file_system(place: Path) -> None:
    with Worker(USE, place / "x") as worker, trace("disk/fsdist", pid=worker.pid) as traced:
        before = time.monotonic_ns()
        worker.work()
        elapsed = time.monotonic_ns() - before
    counts = {operation: traced.count("latency", fs="ext4", operation=operation) for operation in OPERATIONS}
    assert counts == OPERATIONS
    assert traced.count("latency", fs="tmpfs", operation="write") == 29
    assert traced.count("latency") == sum(OPERATIONS.values()) + 29
    assert 0 < sum(low * count for (low, _), count in traced.buckets("latency").items()) < elapsed
    assert traced.losses() == {}


def test_operations_are_counted_by_process(place: Path) -> None:
    """Two at once, on one file system."""
    other = """
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
def work():
    for _ in range(43): os.pwrite(file, b"x", 0)
    for _ in range(47): os.pread(file, 1, 0)
"""
    with (
        Worker(USE, place / "x") as one,
        Worker(other, place / "y") as two,
        trace("disk/fsdist", fs="ext4") as traced,
    ):
        one.start()
        two.start()
        one.finish()
        two.finish()
    counts = {
        worker: {
            name: count for name in OPERATIONS if (count := traced.count("latency", pid=worker.pid, operation=name))
        }
        for worker in (one, two)
    }
    assert counts == {one: OPERATIONS, two: {"read": 47, "write": 43}}
    assert traced.losses() == {}


@any_kernel
def test_only_one_type_of_file_system(place: Path) -> None:
    with Worker(USE, place / "x") as worker, trace("disk/fsdist", pid=worker.pid, fs="tmpfs") as traced:
        worker.work()
    assert traced.count("latency") == traced.count("latency", fs="tmpfs") == 29


WRITE = """
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
def work():
    for _ in range(7): os.write(file, b"hello")
"""


FAIL = """
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
full = os.pwrite(file, bytes(8 << 20), 0)
assert full < 8 << 20
unwritable = os.open(sys.argv[1], os.O_RDONLY)
def work():
    for _ in range(23):
        try: os.pwrite(file, b"x", full)
        except OSError: pass
    for _ in range(7):
        try: os.write(unwritable, b"x")
        except OSError: pass
    os.pwrite(file, b"x", 0)
"""


def test_operations_that_fail_are_counted_by_error(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", tmp_path], check=True)
    try:
        with (
            Worker(FAIL, tmp_path / "a file") as worker,
            Worker(FAIL, tmp_path / "a file") as other,
            trace("disk/fsslower", slower="1h", pid=worker.pid) as traced,
        ):
            worker.work()
            other.work()
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    counted = Counter[tuple[str, ...]]()
    for row in traced.rows("failures"):
        counted[row["operation"], row["error"], row["fs"]] += row["failed"]
        assert row["pid"] == worker.pid
    assert counted == {("write", "ENOSPC", "tmpfs"): 23, ("write", "EBADF", "tmpfs"): 7}
    assert list(traced.events()) == []
    assert traced.losses() == {}


def test_a_write_that_a_frozen_file_system_holds_up(place: Path) -> None:
    held = 0.3
    with Worker(WRITE, place / "a file") as worker, trace("disk/fsslower", slower="250ms", fs="ext4") as traced:
        with frozen(place):
            worker.start()
            eventually(lambda: worker.stat()[0] == "D", "its write waits", 60)
            time.sleep(held)
        worker.finish()
    (row,) = traced.events(pid=worker.pid)
    assert (row["operation"], row["name"], row["fs"], row["result"]) == ("write", "a file", "ext4", 5)
    assert row["took"] >= held * 1e9
    assert traced.losses() == {}
