"""network/tcpreqlat times each answer on a connection that stays open, from both of its sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.network import FAR, NEAR, Wire, free_port
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

DELAY, WORK = 31_000_000, 20_000_000  # ns

# One connection, on which the server speaks first. A request comes in two parts, and so does its answer.
SERVE = """
import socket, time
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
def work():
    global connection
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b"hello")
    while connection.recv(1) == b"a":
        assert connection.recv(1) == b"b"
        time.sleep(float(sys.argv[3]) / 1e9)
        connection.sendall(b"x")
        connection.sendall(b"y")
"""
# Writes how long it waited for all answers by its own clock.
REQUEST = """
import socket, time
def work():
    global connection
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert connection.recv(5, socket.MSG_WAITALL) == b"hello"
    waited = 0
    for _ in range(int(sys.argv[3])):
        connection.sendall(b"a")
        time.sleep(0.01)
        began = time.monotonic_ns()
        connection.sendall(b"b")
        connection.recv(1, socket.MSG_PEEK)
        assert connection.recv(1) == b"x"
        waited += time.monotonic_ns() - began
        assert connection.recv(1) == b"y"
    with open(sys.argv[4], "w") as file: file.write(str(waited))
    connection.close()
"""


def test_each_answer_is_timed_at_both_ends(tmp_path: Path) -> None:
    """Each packet waits 31 ms on the wire, and the server works for 20 ms: only the client sees both."""
    clock = tmp_path / "waited"
    with (
        Wire(delay=DELAY / 1e9) as wire,
        Worker(SERVE, NEAR, 80, WORK, prepare=wire.enter) as server,
        Worker(REQUEST, FAR, 80, 13, clock, prepare=wire.enter) as client,
        trace("network/tcpreqlat", port=80) as traced,
    ):
        server.start()
        client.work()
        server.finish()
    counts = {
        (worker, side): traced.count("latency", pid=worker.pid, side=side)
        for worker in (server, client)
        for side in ("client", "server")
    }
    assert counts == {(server, "server"): 13, (client, "client"): 13, (server, "client"): 0, (client, "server"): 0}
    assert traced.count("latency") == 26
    assert min(high for _, high in traced.buckets("latency", side="client")) > 2 * DELAY + WORK
    assert min(high for _, high in traced.buckets("latency", side="server")) > WORK
    rows = {row["pid"]: row for row in traced.events("connections")}
    assert {(row["pid"], row["side"], row["remote"]) for row in rows.values()} == {
        (client.pid, "client", FAR),
        (server.pid, "server", FAR),
    }
    sums = traced.totals("connections", "pid")
    assert sums[client.pid]["answers"] == sums[server.pid]["answers"] == 13
    assert 13 * (2 * DELAY + WORK) <= sums[client.pid]["took"] <= int(clock.read_text())
    assert 2 * DELAY + WORK <= rows[client.pid]["longest"] <= sums[client.pid]["took"]
    assert 13 * WORK <= sums[server.pid]["took"] <= sums[client.pid]["took"] - 13 * 2 * DELAY
    assert traced.losses() == {}


@any_kernel
def test_only_connections_of_a_port_or_process(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    with (
        Worker(SERVE, "127.0.0.1", port, 0) as server,
        Worker(REQUEST, "127.0.0.1", port, 7, tmp_path / "waited") as client,
        trace("network/tcpreqlat", port=other) as elsewhere,
        trace("network/tcpreqlat", pid=client.pid) as chosen,
    ):
        server.start()
        client.work()
        server.finish()
    assert elsewhere.count("latency") == 0
    assert chosen.count("latency") == chosen.count("latency", pid=client.pid, side="client") == 7
