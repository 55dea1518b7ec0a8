"""Probes of those that wait for connections: addresses bound, sockets that listen, and how long their queues are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.network import free_port
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# Listens where the kernel chooses the port, fails to listen with datagrams, and to bind to a port that is taken.
LISTEN = """
import socket
def work():
    kept = []
    for _ in range(7):
        kept.append(socket.socket(socket.AF_INET6))
        kept[-1].bind(("::1", 0))
        kept[-1].listen(17)
    for _ in range(5):
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        kept[-1].bind(("127.0.0.2", 0))
        try: kept[-1].listen(3)
        except OSError: pass
    for _ in range(3):
        with socket.socket() as other:
            try: other.bind(("127.0.0.1", int(sys.argv[1])))
            except OSError: pass
    with open(sys.argv[2], "w") as ports:
        ports.write(" ".join(str(each.getsockname()[1]) for each in kept))
"""


def test_bindsnoop_and_listensnoop_tell_what_succeeds_and_what_fails(tmp_path: Path) -> None:
    ports = tmp_path / "ports"
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Worker(LISTEN, taken.getsockname()[1], ports, name="listening") as worker,
        trace("network/bindsnoop", comm="listening") as binds,
        trace("network/listensnoop", pid=worker.pid) as listens,
    ):
        worker.work()
        taken_port = str(taken.getsockname()[1])
    chosen = ports.read_text().split()
    told = [
        (row["protocol"], row["local"], row["local_port"], row["result"], row["user"])
        for row in binds.events(pid=worker.pid)
    ]
    assert told == [
        *(("TCP", "::1", port, "", "root") for port in chosen[:7]),
        *(("UDP", "127.0.0.2", port, "", "root") for port in chosen[7:]),
        *[("TCP", "127.0.0.1", taken_port, "EADDRINUSE", "root")] * 3,
    ]
    assert [
        (row["protocol"], row["local"], row["local_port"], row["backlog"], row["result"]) for row in listens.events()
    ] == [
        *(("TCP", "::1", port, 17, "") for port in chosen[:7]),
        *(("UDP", "127.0.0.2", port, 3, "EOPNOTSUPP") for port in chosen[7:]),
    ]
    assert binds.losses() == listens.losses() == {}


# An address without a family is any to IPv4, a backlog has its limit, a raw socket has no port. What fails keeps what
# was requested, as far as it is an address.
ODD = """
import ctypes, socket, struct
libc = ctypes.CDLL(None)
def bind(family, kind, name, protocol=0):
    with socket.socket(family, kind, protocol) as each: libc.bind(each.fileno(), name, len(name))
def work():
    port, here = struct.pack(">H", int(sys.argv[1])), bytes([127, 0, 0, 1])
    raw = struct.pack("=H2x4s8x", socket.AF_INET, here)
    other = struct.pack("=H2s4s20x", socket.AF_INET, port, here)
    for _ in range(7): bind(socket.AF_INET, socket.SOCK_STREAM, struct.pack("=H2s12x", socket.AF_UNSPEC, port))
    for _ in range(5): bind(socket.AF_INET, socket.SOCK_RAW, raw, 6)
    for _ in range(3): bind(socket.AF_INET6, socket.SOCK_STREAM, other)
    for _ in range(2): bind(socket.AF_INET, socket.SOCK_STREAM, struct.pack("=H14s", socket.AF_UNIX, b"/a/path"))
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server: server.listen(1 << 20)
"""


def test_the_address_and_backlog_are_those_that_the_socket_has_got() -> None:
    port = free_port()
    with (
        Worker(ODD, port) as worker,
        trace("network/bindsnoop", pid=worker.pid) as binds,
        trace("network/listensnoop", pid=worker.pid) as listens,
    ):
        worker.work()
    rows = [(row["protocol"], row["local"], row["local_port"], row["result"]) for row in binds.events()]
    assert rows == [
        *[("TCP", "0.0.0.0", str(port), "")] * 7,
        *[("TCP", "127.0.0.1", "0", "")] * 5,
        *[("TCP", "127.0.0.1", str(port), "EAFNOSUPPORT")] * 3,
        *[("TCP", "::", "0", "EAFNOSUPPORT")] * 2,
        ("TCP", "127.0.0.1", str(port), ""),
    ]
    limit = int(Path("/proc/sys/net/core/somaxconn").read_text())
    assert listens.events()[-1]["backlog"] == limit < 1 << 20


def test_tcpsynbl_tells_how_many_wait_to_be_accepted() -> None:
    """Nobody accepts: the first of 13 connections finds nobody waiting, the last one twelve others."""
    code = """
import socket
def work():
    global kept
    kept = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(13)]
"""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=29) as server,
        Worker(code, server.getsockname()[1]) as client,
        trace("network/tcpsynbl", port=(port := server.getsockname()[1])) as traced,
    ):
        client.work()
    assert traced.buckets("queue", port=str(port), limit=29) == {(waiting, waiting + 1): 1 for waiting in range(13)}
    assert traced.losses() == {}


@any_kernel
def test_filters_leave_out_other_ports_and_successes() -> None:
    with (
        Worker("import socket\ndef work(): socket.create_server(('127.0.0.1', 0)).close()", name="listening") as worker,
        trace("network/bindsnoop", comm="listening", failed="true") as failures,
        trace("network/listensnoop", port=free_port()) as elsewhere,
        trace("network/bindsnoop", pid=worker.pid) as binds,
    ):
        worker.work()
    assert failures.events() == elsewhere.events() == []
    assert len(binds.events(protocol="TCP", result="")) == 1
