"""The probes of disk/ that watch system calls on files and mounts report each one and its result."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.disks import file_system
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

LIBC = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
"""

# ---------------------------------------------------------------- statsnoop

# All by their numbers: newfstatat, stat and lstat, which only x86-64 has, statx, statfs.
STATUS = (
    LIBC
    + """
import platform
x86_64 = platform.machine() == "x86_64"
newfstatat, statx, statfs = (262, 332, 137) if x86_64 else (79, 291, 43)
path, none = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[1] + ".none")
buffer = ctypes.create_string_buffer(512)
file = os.open(path, os.O_RDONLY)
def work():
    for _ in range(13): libc.syscall(newfstatat, -100, path, buffer, 0)
    for _ in range(7 * x86_64): libc.syscall(4, path, buffer)
    for _ in range(5 * x86_64): libc.syscall(6, none, buffer)
    for _ in range(3): libc.syscall(statx, -100, path, 0, 0xfff, buffer)
    for _ in range(2): libc.syscall(statfs, none, buffer)
    for _ in range(11): libc.syscall(newfstatat, file, b"", buffer, 0x1000)
"""
)


def test_every_status_asked_for_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    with Worker(STATUS, path) as worker, trace("disk/statsnoop") as traced:
        worker.work()
    rows = traced.events(pid=worker.pid)
    there, none = (str(path), ""), (f"{path}.none", "ENOENT")
    assert [(row["call"], row["path"], row["result"]) for row in rows] == (
        [("newfstatat", *there)] * 13
        + ([("stat", *there)] * 7 + [("lstat", *none)] * 5) * (os.uname().machine == "x86_64")
        + [("statx", *there)] * 3
        + [("statfs", *none)] * 2
    )
    assert min(row["took"] for row in rows) > 0
    assert traced.losses() == {}


@any_kernel
def test_only_status_calls_that_fail(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    with Worker(STATUS, path) as worker, trace("disk/statsnoop", pid=worker.pid, failed="true") as traced:
        worker.work()
    assert [row["result"] for row in traced.events()] == ["ENOENT"] * 7


# ---------------------------------------------------------------- fsynclat

SYNC = (
    LIBC
    + """
import mmap
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(file, 4096)
memory = mmap.mmap(file, 4096)
def work():
    for number in range(13):
        os.pwrite(file, bytes([number]), 0)
        os.fsync(file)
    for _ in range(7): os.fdatasync(file)
    for _ in range(5): memory.flush()
    for _ in range(3): libc.syncfs(file)
    for _ in range(2): libc.sync_file_range(file, 0, 0, 0, 4)
    for _ in range(11): libc.fsync(-1)
"""
)


def test_waiting_for_the_disk_is_counted_by_call(tmp_path: Path) -> None:
    with file_system(tmp_path) as (_, place), Worker(SYNC, place / "x") as worker, trace("disk/fsynclat") as traced:
        before = time.monotonic_ns()
        worker.work()
        elapsed = time.monotonic_ns() - before
    calls = {"fsync": 13 + 11, "fdatasync": 7, "msync": 5, "syncfs": 3, "sync_file_range": 2}
    assert {call: traced.count("latency", pid=worker.pid, call=call) for call in calls} == calls
    total = traced.totals("calls", "pid")[worker.pid]
    assert (total["calls"], total["failed"]) == (41, 11)
    assert 0 < total["time"] < elapsed
    assert traced.losses() == {}


# ---------------------------------------------------------------- mountsnoop

# In mounts of its own; move_mount and open_tree by their numbers.
MOUNT = (
    LIBC
    + """
libc.unshare(0x20000)
libc.mount(b"none", b"/", None, 0x44000, None)
target = os.fsencode(sys.argv[1])
def work():
    for _ in range(5):
        libc.mount(b"a source", target, b"tmpfs", 2, None)
        libc.umount2(target, 2)
    for _ in range(3): libc.mount(b"a source", target, b"no such type", 0, None)
    tree = libc.syscall(428, -100, b"/proc", 1)
    libc.syscall(429, tree, b"", -100, target, 4)
"""
)


def test_every_mount_is_told_with_what_came_of_it(tmp_path: Path) -> None:
    target = str(tmp_path)
    with Worker(MOUNT, target) as worker, trace("disk/mountsnoop") as traced:
        worker.work()
        namespace = os.stat(f"/proc/{worker.pid}/ns/mnt").st_ino
    rows = traced.events(pid=worker.pid)
    names = ("call", "source", "target", "type", "flags", "result")
    pair = [("mount", "a source", target, "tmpfs", "0x2", ""), ("umount2", "", target, "", "0x2", "")]
    assert [tuple(row[name] for name in names) for row in rows] == (
        pair * 5
        + [("mount", "a source", target, "no such type", "0x0", "ENODEV")] * 3
        + [("move_mount", "proc", target, "proc", "0x4", "")]
    )
    assert {row["namespace"] for row in rows} == {namespace}
    assert traced.losses() == {}


# As mount(8) does it today: 430 fsopen, 431 fsconfig (1 sets a string, 6 creates, 7 reconfigures), 432 fsmount, 429
# move_mount. 5 file systems are mounted and remounted; 3 types don't exist, nor do 2 options, 2 sources and 3 contexts.
STEPS = (
    LIBC
    + """
libc.unshare(0x20000)
libc.mount(b"none", b"/", None, 0x44000, None)
target = os.fsencode(sys.argv[1])
def work():
    for _ in range(5):
        context = libc.syscall(430, b"tmpfs", 0)
        libc.syscall(431, context, 1, b"source", b"new source", 0)
        libc.syscall(431, context, 6, None, None, 0)
        mount = libc.syscall(432, context, 0, 0)
        libc.syscall(429, mount, b"", -100, target, 4)
        libc.syscall(431, context, 1, b"size", b"1M", 0)
        libc.syscall(431, context, 7, None, None, 0)
    for _ in range(3): libc.syscall(430, b"no such type", 0)
    for _ in range(2):
        context = libc.syscall(430, b"tmpfs", 0)
        libc.syscall(431, context, 1, b"no such option", b"17", 0)
    for _ in range(2):
        context = libc.syscall(430, b"ext4", 0)
        libc.syscall(431, context, 1, b"source", b"/no/such/source", 0)
        libc.syscall(431, context, 6, None, None, 0)
    for _ in range(3): libc.syscall(432, 0, 0, 0)
"""
)


def test_each_step_of_a_mount_that_fails_has_a_row_with_the_reason(tmp_path: Path) -> None:
    target = str(tmp_path)
    with Worker(STEPS, target) as worker, trace("disk/mountsnoop", pid=worker.pid) as traced:
        worker.work()
    names = ("call", "source", "target", "type", "option", "result", "message")
    rows = [tuple(row[name] for name in names) for row in traced.events()]
    older = "Can't open blockdev"  # as 6.1 words it
    assert [(*row[:-1], row[-1].replace(older, "Can't lookup blockdev")) for row in rows] == [
        *[
            ("move_mount", "new source", target, "tmpfs", "", "", ""),
            ("fsconfig", "", "", "tmpfs", "", "", ""),
        ]
        * 5,
        *[("fsopen", "", "", "no such type", "", "ENODEV", "")] * 3,
        *[("fsconfig", "", "", "tmpfs", "no such option=17", "EINVAL", "e tmpfs: Unknown parameter 'no such option'")]
        * 2,
        *[("fsconfig", "/no/such/source", "", "ext4", "", "ENOENT", "e /no/such/source: Can't lookup blockdev")] * 2,
        *[("fsmount", "", "", "", "", "EINVAL", "")] * 3,
    ]
    assert traced.losses() == {}


@any_kernel
def test_only_mounts_that_failed(tmp_path: Path) -> None:
    with Worker(STEPS, tmp_path) as worker, trace("disk/mountsnoop", pid=worker.pid, failed="true") as traced:
        worker.work()
    results = [row["result"] for row in traced.events()]
    assert results == ["ENODEV"] * 3 + ["EINVAL"] * 2 + ["ENOENT"] * 2 + ["EINVAL"] * 3


# ---------------------------------------------------------------- writeback

CHANGE = (
    LIBC
    + """
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
def work():
    os.write(file, bytes(101 * os.sysconf("SC_PAGESIZE")))
    libc.syncfs(file)
"""
)


def test_changed_pages_are_told_when_they_are_written(tmp_path: Path) -> None:
    with file_system(tmp_path) as (device, place), Worker(CHANGE, place / "x") as worker:
        with trace("disk/writeback") as traced:
            worker.work()
        rows = traced.events(device=device.name)
    assert sum(row["pages"] for row in rows) == 101
    assert "SYNC" in {row["reason"] for row in rows}
    assert traced.losses() == {}
