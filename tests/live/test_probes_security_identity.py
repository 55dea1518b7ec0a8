"""security/setuids, security/privesc and security/unshare see who becomes somebody else, or goes somewhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

NOBODY = 65534
# root lays down its rights and takes them up again; then a child that is nobody asks for what it may not have
CHANGE = f"""
def work():
    for _ in range(7):
        os.seteuid({NOBODY})
        os.seteuid(0)
    for _ in range(5): os.setregid(-1, 0)
    if not (child := os.fork()):
        os.setuid({NOBODY})
        for _ in range(3):
            try: os.setuid(0)
            except PermissionError: pass
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_each_change_of_identity_is_told() -> None:
    with Worker(CHANGE) as worker, trace("security/setuids") as traced:
        worker.work()
    rows = traced.events(pid=worker.pid)
    assert {row["result"] for row in rows} == {""}
    back_and_forth = traced.events(pid=worker.pid, call="setresuid")
    assert [(row["real"], row["effective"], row["saved"], row["before"], row["after"]) for row in back_and_forth] == [
        (-1, NOBODY, -1, "root", "nobody"),
        (-1, 0, -1, "nobody", "root"),
    ] * 7
    groups = traced.events(pid=worker.pid, call="setregid")
    assert [(row["real"], row["effective"]) for row in groups] == [(-1, 0)] * 5
    refused = traced.events(call="setuid", result="EPERM", before="nobody", after="nobody", effective=0)
    assert len(refused) == 3
    assert traced.losses() == {}


@any_kernel
def test_only_changes_that_were_refused() -> None:
    with Worker(CHANGE) as worker, trace("security/setuids", failed="true") as traced:
        worker.work()
    assert {row["result"] for row in traced.events()} == {"EPERM"}
    assert len(traced.events(call="setuid", effective=0)) == 3


def test_programs_that_run_as_their_owner_are_told(tmp_path: Path) -> None:
    program, plain = tmp_path / "program", tmp_path / "plain"
    for path in (program, plain):
        path.write_bytes(Path("/bin/true").read_bytes())
        os.chown(path, NOBODY, NOBODY)
    program.chmod(0o6755)
    plain.chmod(0o755)
    with trace("security/privesc") as traced:
        pids = [os.posix_spawn(path, [path.name], {}) for path in [program] * 7 + [plain] * 5]
        for pid in pids:
            os.waitpid(pid, 0)
    rows = traced.events(path=str(program))
    assert sorted(row["pid"] for row in rows) == sorted(pids[:7])
    assert {(row["user"], row["becomes"], row["gid"], row["becomes_gid"]) for row in rows} == {
        ("root", "nobody", 0, NOBODY)
    }
    assert {(row["mode"], row["ppid"]) for row in rows} == {("6755", os.getpid())}
    assert traced.events(path=str(plain)) == []
    assert traced.losses() == {}


# 3 namespaces of two kinds, 5 entered by a descriptor of its own and nothing more said, 2 that aren't any, 2 by clone
UNSHARE = """
import ctypes
libc = ctypes.CDLL(None)
def work():
    uts = os.open("/proc/self/ns/uts", os.O_RDONLY)
    for _ in range(3): libc.unshare(0x04000000 | 0x08000000)
    for _ in range(5): libc.setns(uts, 0)
    for _ in range(2): libc.setns(0, 0x40000000)
    libc.unshare(0x200)  # its file system's data: no namespace
"""


def test_namespaces_made_and_entered_are_told() -> None:
    with Worker(UNSHARE) as worker, Worker(UNSHARE) as other, trace("security/unshare", pid=worker.pid) as traced:
        worker.work()
        other.work()
    assert [(row["call"], row["namespaces"], row["result"]) for row in traced.events()] == (
        [("unshare", "uts,ipc", "")] * 3 + [("setns", "uts", "")] * 5 + [("setns", "net", "EINVAL")] * 2
    )
    assert {(row["pid"], row["user"], row["child"]) for row in traced.events()} == {(worker.pid, "root", 0)}
    assert traced.losses() == {}


@any_kernel
def test_a_child_born_into_its_own_namespace_is_told() -> None:
    clone = """
import ctypes, platform
libc = ctypes.CDLL(None)
number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
def work():
    for _ in range(3):
        if not (child := libc.syscall(number, 0x04000000 | 17, 0, 0, 0, 0)): os._exit(0)
        os.waitpid(child, 0)
"""
    with Worker(clone) as worker, trace("security/unshare", pid=worker.pid) as traced:
        worker.work()
    rows = traced.events()
    assert [(row["call"], row["namespaces"], row["result"]) for row in rows] == [("clone", "uts", "")] * 3
    assert len({row["child"] for row in rows} - {0, worker.pid}) == 3
