"""Probes of connections: who connects where, who accepts, which states they pass, and how long that takes."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.network import CONNECT, FAR, NEAR, REFUSED, SERVE, Wire, free_port
from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# One connection at a time through a wire, with its address and port, and how often.
SERVE_NEAR = """
import socket
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
def work():
    for _ in range(int(sys.argv[3])):
        connection, _ = server.accept()
        connection.recv(1)
        connection.close()
"""
CONNECT_FAR = """
import socket
def work():
    for _ in range(int(sys.argv[3])):
        socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()
"""


def told(traced: Tracing, pid: int, count: int) -> None:
    traced.until(lambda: len(traced.events(pid=pid)) >= count, f"{count} events of {pid}")


@pytest.mark.parametrize("version", [4, pytest.param(6, marks=any_kernel)])
def test_tcpconnect_and_tcpaccept_see_each_side_of_a_connection(version: int) -> None:
    host = "::1" if version == 6 else "127.0.0.1"
    port = free_port()
    with (
        Worker(SERVE, version, port, 23, 1, name="serving") as server,
        Worker(CONNECT, version, port, 23, 1) as client,
        trace("network/tcpconnect", port=port) as connects,
        trace("network/tcpaccept", comm="serving") as accepts,
    ):
        server.start()
        client.work()
        server.finish()
        told(connects, client.pid, 23)
        told(accepts, server.pid, 23)
    asked = connects.events()
    assert [(row["pid"], row["remote"], row["remote_port"], row["user"]) for row in asked] == [
        (client.pid, host, str(port), "root")
    ] * 23
    accepted = accepts.events()
    assert [(row["pid"], row["local"], row["local_port"], row["remote"]) for row in accepted] == [
        (server.pid, host, str(port), host)
    ] * 23
    assert len({row["remote_port"] for row in accepted}) == 23
    assert connects.losses() == accepts.losses() == {}


def test_tcpstates_tells_each_change_from_both_sides() -> None:
    port = free_port()
    with (
        Worker(SERVE, 4, port, 7, 1) as server,
        Worker(CONNECT, 4, port, 7, 1) as client,
        trace("network/tcpstates", port=port) as traced,
    ):
        server.start()
        client.work()
        server.finish()
        told(traced, server.pid, 14)
        traced.until(lambda: len(traced.events(after="CLOSE")) >= 14, "all connections are closed")
    asking = traced.events(remote_port=str(port))
    assert Counter((row["before"], row["after"]) for row in asking) == {
        ("CLOSE", "SYN_SENT"): 7,
        ("SYN_SENT", "ESTABLISHED"): 7,
        ("ESTABLISHED", "FIN_WAIT1"): 7,
        ("FIN_WAIT1", "FIN_WAIT2"): 7,
        ("FIN_WAIT2", "CLOSE"): 7,
    }
    assert {row["pid"] for row in asking if row["before"] != "CLOSE"} == {client.pid}
    answering = traced.events(local_port=str(port))
    assert Counter((row["before"], row["after"], row["pid"]) for row in answering) == {
        ("LISTEN", "SYN_RECV", None): 7,  # in a soft interrupt: the process isn't known yet
        ("SYN_RECV", "ESTABLISHED", None): 7,
        ("ESTABLISHED", "CLOSE_WAIT", None): 7,
        ("CLOSE_WAIT", "LAST_ACK", server.pid): 7,
        ("LAST_ACK", "CLOSE", server.pid): 7,
    }
    assert min(row["lasted"] for row in asking if row["before"] == "ESTABLISHED") > 0
    assert traced.losses() == {}


def test_tcpconnlat_measures_the_way_there_and_back() -> None:
    """Each packet waits 31 ms on the wire: a connection takes twice that, and a refusal as well."""
    with (
        Wire(delay=0.031) as wire,
        Worker(SERVE_NEAR, NEAR, 80, 5, prepare=wire.enter) as server,
        Worker(CONNECT_FAR, FAR, 80, 5, prepare=wire.enter) as client,
        Worker(REFUSED.replace("127.0.0.1", FAR), 81, 3, prepare=wire.enter) as refused,
        trace("network/tcpconnlat") as traced,
    ):
        server.start()
        client.work()
        server.finish()
        refused.work()
        told(traced, client.pid, 5)
        told(traced, refused.pid, 3)
    rows = traced.events(pid=client.pid)
    assert [(row["remote"], row["remote_port"], row["error"]) for row in rows] == [(FAR, "80", "")] * 5
    assert {row["error"] for row in traced.events(pid=refused.pid)} == {"ECONNREFUSED"}
    assert len(traced.events(pid=refused.pid)) == 3
    assert min(row["took"] for row in traced.events(remote=FAR)) >= 2 * 31_000_000
    assert traced.count("latency", pid=client.pid) == 5
    assert min(low for low, _ in traced.buckets("latency", pid=client.pid)) >= 2 * 31_000_000 * 8 // 9
    assert traced.count("latency", pid=refused.pid) == 0  # those were never established
    assert traced.losses() == {}


@any_kernel
def test_filters_leave_out_other_ports_addresses_and_quick_connections() -> None:
    port, other = free_port(), free_port()
    with (
        Worker(SERVE, 4, port, 3, 1) as server,
        Worker(CONNECT, 4, port, 3, 1) as client,
        trace("network/tcpaccept", port=other) as accepts,
        trace("network/tcpstates", address="127.0.0.9") as states,
        trace("network/tcpconnlat", slower="1h") as slow,
        trace("network/tcpconnect", pid=client.pid) as connects,
    ):
        server.start()
        client.work()
        server.finish()
        told(connects, client.pid, 3)
    assert accepts.events() == states.events() == slow.events() == []
    assert slow.count("latency") == 0
    assert len(connects.events()) == 3
