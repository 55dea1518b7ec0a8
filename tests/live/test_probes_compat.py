"""Probes of system calls see those of 32-bit programs too: the numbers and arguments of i386, by `int $0x80`."""

from __future__ import annotations

import platform

import pytest

from tests.support.compat import CALL32
from tests.support.tracing import trace
from tests.support.workloads import Worker

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="i386's system calls exist on x86-64 only"),
]

NOBODY = 65534

# 7 binds and listens by their own numbers, 5 by socketcall(2), 3 binds of no socket
SOCKETS = """
import socket, struct
name = low(struct.pack("=H2s4s8x", socket.AF_INET, b"\\0\\0", bytes([127, 0, 0, 1])))
def work():
    kept = []
    for _ in range(7):
        kept.append(socket.socket())
        assert call32(361, kept[-1].fileno(), name, 16) == 0
        assert call32(363, kept[-1].fileno(), 17, 0) == 0
    for _ in range(5):
        kept.append(socket.socket())
        assert call32(102, 2, low(struct.pack("=III", kept[-1].fileno(), name, 16)), 0) == 0
        assert call32(102, 4, low(struct.pack("=II", kept[-1].fileno(), 19)), 0) == 0
    for _ in range(3): assert call32(361, 0, name, 16) == -88
    with open(sys.argv[1], "w") as ports:
        ports.write(" ".join(str(each.getsockname()[1]) for each in kept))
"""


def test_binds_and_listens_of_32_bits(tmp_path: object) -> None:
    ports = f"{tmp_path}/ports"
    with (
        Worker(CALL32 + SOCKETS, ports) as worker,
        trace("network/bindsnoop", pid=worker.pid) as binds,
        trace("network/listensnoop", pid=worker.pid) as listens,
    ):
        worker.work()
    with open(ports) as file:
        chosen = file.read().split()
    assert [(row["protocol"], row["local"], row["local_port"], row["result"]) for row in binds.events()] == [
        *(("TCP", "127.0.0.1", port, "") for port in chosen),
        *[("IP", "127.0.0.1", "0", "ENOTSOCK")] * 3,
    ]
    assert [(row["local_port"], row["backlog"], row["result"]) for row in listens.events()] == [
        *((port, 17, "") for port in chosen[:7]),
        *((port, 19, "") for port in chosen[7:]),
    ]
    assert binds.losses() == listens.losses() == {}


# statx with an empty path is the status of an open file
STATS = """
here, absent, empty = low(b"/proc\\0"), low(b"/absent32\\0"), low(b"\\0")
room = low(bytes(512))
def work():
    for _ in range(3): assert call32(195, here, room, 0) == 0
    for _ in range(5): assert call32(195, absent, room, 0) == -2
    for _ in range(2): assert call32(196, absent, room, 0) == -2
    for _ in range(7): assert call32(300, -100, absent, room) == -2
    for _ in range(2): assert call32(268, absent, 84, room) == -2
"""


def test_file_status_of_32_bits() -> None:
    with Worker(CALL32 + STATS) as worker, trace("disk/statsnoop", pid=worker.pid) as traced:
        worker.work()
    assert [(row["call"], row["path"], row["result"]) for row in traced.events()] == [
        *[("stat", "/proc", "")] * 3,
        *[("stat", "/absent32", "ENOENT")] * 5,
        *[("lstat", "/absent32", "ENOENT")] * 2,
        *[("newfstatat", "/absent32", "ENOENT")] * 7,
        *[("statfs", "/absent32", "ENOENT")] * 2,
    ]
    assert all(row["took"] > 0 for row in traced.events())
    assert traced.losses() == {}


def test_failed_execs_of_32_bits() -> None:
    code = """
path = low(b"/absent32\\0")
def work():
    for _ in range(5): assert call32(11, path, 0, 0) == -2
    for _ in range(3): assert call32(358, -100, path, 0) == -2
"""
    with Worker(CALL32 + code, name="failing") as worker, trace("cpu/execsnoop", failed="true") as traced:
        worker.work()
    rows = traced.events(pid=worker.pid)
    assert [(row["path"], row["result"], row["comm"]) for row in rows] == [("/absent32", "ENOENT", "failing")] * 8


# i386 has two calls of each kind: with 32-bit ids and, older, with 16-bit ones
IDENTITY = f"""
def work():
    for _ in range(3):
        assert call32(208, -1, {NOBODY}, -1) == 0
        assert call32(208, -1, 0, -1) == 0
    for _ in range(2):
        assert call32(164, 0xffff, {NOBODY}, 0xffff) == 0
        assert call32(70, 0xffff, 0, 0) == 0
    for _ in range(5): assert call32(214, 0, 0, 0) == 0
"""


def test_changes_of_identity_of_32_bits() -> None:
    with Worker(CALL32 + IDENTITY) as worker, trace("security/setuids", pid=worker.pid) as traced:
        worker.work()
    rows = [
        (row["call"], row["real"], row["effective"], row["saved"], row["before"], row["after"])
        for row in traced.events()
    ]
    assert rows == [
        *[
            ("setresuid", -1, NOBODY, -1, "root", "nobody"),
            ("setresuid", -1, 0, -1, "nobody", "root"),
        ]
        * 3,
        *[
            ("setresuid", -1, NOBODY, -1, "root", "nobody"),
            ("setreuid", -1, 0, -1, "nobody", "root"),
        ]
        * 2,
        *[("setgid", -1, 0, -1, "root", "root")] * 5,
    ]
    assert {row["result"] for row in traced.events()} == {""}
    assert traced.losses() == {}


NAMESPACES = """
def work():
    uts = os.open("/proc/self/ns/uts", os.O_RDONLY)
    for _ in range(3): assert call32(310, 0x04000000, 0, 0) == 0
    for _ in range(5): assert call32(346, uts, 0, 0) == 0
    assert call32(310, 0x200, 0, 0) == 0  # its file system's data: no namespace
    for _ in range(2):
        if not (child := call32(120, 0x08000000 | 17, 0, 0)): os._exit(0)
        os.waitpid(child, 0)
"""


def test_namespaces_of_32_bits() -> None:
    with Worker(CALL32 + NAMESPACES) as worker, trace("security/unshare", pid=worker.pid) as traced:
        worker.work()
    assert [(row["call"], row["namespaces"], row["result"]) for row in traced.events()] == [
        *[("unshare", "uts", "")] * 3,
        *[("setns", "uts", "")] * 5,
        *[("clone", "ipc", "")] * 2,
    ]


TRACES = """
import struct
target = int(sys.argv[1])
byte = low(b"x")
part = low(struct.pack("=II", byte, 1))
def work():
    for _ in range(3):
        assert call32(26, 16, target, 0) == 0
        os.waitpid(target, 0x40000000)
        assert call32(26, 17, target, 0) == 0
    for _ in range(2): assert call32(26, 16, 1 << 22, 0) == -3
    for _ in range(5): call32(347, target, part, 1)
"""


def test_tracing_of_32_bits() -> None:
    with (
        Worker("def work(): pass") as target,
        Worker(CALL32 + TRACES, target.pid) as worker,
        trace("security/ptracesnoop", pid=worker.pid) as traced,
    ):
        worker.work()
    rows = [(row["request"], row["target"], row["result"]) for row in traced.events()]
    assert rows[:5] == [("ATTACH", target.pid, "")] * 3 + [("ATTACH", 1 << 22, "ESRCH")] * 2
    assert [row[:2] for row in rows[5:]] == [("process_vm_readv", target.pid)] * 5


def test_bpf_calls_of_32_bits() -> None:
    code = """
import struct
attributes = low(struct.pack("=7I16s", 2, 4, 8, 1, 0, 0, 0, b"seven"))
def work():
    for _ in range(7): assert call32(357, 0, attributes, 44) >= 0
"""
    with Worker(CALL32 + code) as worker, trace("security/bpfsnoop", pid=worker.pid) as traced:
        worker.work()
    assert [(row["command"], row["type"], row["name"], row["result"]) for row in traced.events()] == [
        ("MAP_CREATE", "ARRAY", "seven", "")
    ] * 7
