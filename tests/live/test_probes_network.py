"""network/tcplife sees each connection once, with its ports, bytes, process and end."""

from __future__ import annotations

import pytest

from tests.support.network import CONNECT, REFUSED, SERVE, free_port
from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

CONNECTIONS, ASKED, ANSWERED = 41, 997, 100_003


def ended(traced: Tracing, pid: int, count: int) -> None:
    traced.until(lambda: len(traced.events(pid=pid)) >= count, f"{count} connections of {pid}")


@pytest.mark.parametrize("version", [4, 6])
def test_every_connection_is_seen_from_both_sides(version: int) -> None:
    host = "::1" if version == 6 else "127.0.0.1"
    port = free_port()
    with (
        Worker(SERVE, version, port, CONNECTIONS, ANSWERED) as server,
        Worker(CONNECT, version, port, CONNECTIONS, ASKED) as client,
        trace("network/tcplife", port=port) as traced,
    ):
        server.start()
        client.work()
        server.finish()
        ended(traced, client.pid, CONNECTIONS)
        ended(traced, server.pid, CONNECTIONS)
    assert len(traced.events()) == 2 * CONNECTIONS

    asking = traced.events(pid=client.pid, remote_port=str(port))
    assert len(asking) == CONNECTIONS
    assert {(row["local"], row["remote"]) for row in asking} == {(host, host)}
    assert {(row["sent"], row["received"], row["error"]) for row in asking} == {(ASKED, ANSWERED, "")}
    assert min(row["lived"] for row in asking) > 0

    answering = traced.events(pid=server.pid, local_port=str(port))
    assert sorted(row["remote_port"] for row in answering) == sorted(row["local_port"] for row in asking)
    assert {(row["sent"], row["received"], row["error"]) for row in answering} == {(ANSWERED, ASKED, "")}
    assert traced.losses() == {}


@any_kernel
def test_a_refused_connection_says_so() -> None:
    port = free_port()
    with Worker(REFUSED, port, 7) as worker, trace("network/tcplife", pid=worker.pid) as traced:
        worker.work()
        ended(traced, worker.pid, 7)
    rows = traced.events()
    assert [(row["remote_port"], row["state"], row["error"]) for row in rows] == [
        (str(port), "SYN_SENT", "ECONNREFUSED")
    ] * 7
    assert {(row["sent"], row["received"]) for row in rows} == {(0, 0)}


@any_kernel
def test_other_ports_and_names_are_left_out() -> None:
    port, other = free_port(), free_port()
    with (
        Worker(SERVE, 4, port, 3, 1) as server,
        Worker(CONNECT, 4, port, 3, 1, name="wanted") as client,
        trace("network/tcplife", port=other) as elsewhere,
        trace("network/tcplife", comm="wanted") as wanted,
    ):
        server.start()
        client.work()
        server.finish()
        ended(wanted, client.pid, 3)
    assert elsewhere.events() == []
    assert {row["pid"] for row in wanted.events()} == {client.pid}
