"""Network probes beside the kernel's own counters, under load that queues and limits don't let through."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.network import CONNECT, FAR, NEAR, SERVE, Wire, free_port
from tests.support.tracing import Row, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf


def counted_by_kernel(worker: Worker, name: str, file: str = "netstat") -> int:
    """`TcpExtListenDrops` and the like, of a worker's network namespace, see proc_net(5)."""
    lines = Path(f"/proc/{worker.pid}/net/{file}").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        prefix, _, rest = names.partition(":")
        found = zip((f"{prefix}{each}" for each in rest.split()), values.split()[1:], strict=True)
        if value := dict(found).get(name):
            return int(value)
    raise AssertionError(f"{name} isn't in /proc/net/{file}")


# ---------------------------------------------------------------- tcpdrop

# Listens, and never accepts: there is room for one connection more than the backlog.
LISTEN = """
import socket
def listen(address, port, backlog):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), backlog=backlog, family=family, dualstack_ipv6=address == "::")
servers = [listen(address, int(port), int(backlog)) for address, port, backlog in zip(*[iter(sys.argv[1:])] * 3)]
def work(): pass
"""
# Connects so many times, one after another; then asks for so many connections more at once, and waits for none.
KNOCK = """
import socket
connections = []
def work():
    for address, port, connected, asked in zip(*[iter(sys.argv[1:])] * 4):
        for number in range(int(connected) + int(asked)):
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            one.setblocking(number < int(connected))
            one.connect_ex((address, int(port)))
            connections.append(one)
"""


def test_a_full_accept_queue_is_why_packets_are_dropped() -> None:
    """The kernel counts each packet that finds an accept queue full.

    Through a wire all SYNs come before the queue is full. It answers most of them with SYN cookies, if more connections
    are on their way than the backlog has room for. Then the last packet of the handshake is the one in vain.
    """
    listeners = (("0.0.0.0", 81, 2), ("::1", 82, 2), ("::", 83, 2), (NEAR, 84, 2), (NEAR, 85, 7))
    asked = (("127.0.0.1", 81, 0, 16), ("::1", 82, 0, 16), ("127.0.0.1", 83, 0, 16), (FAR, 84, 0, 16), (FAR, 85, 5, 7))
    refused = {"81": 13, "82": 13, "83": 13, "84": 13, "85": 4}
    flags = {"81": "SYN", "82": "SYN", "83": "SYN", "84": "ACK", "85": "ACK"}
    with (
        Wire(delay=0.02) as wire,
        Worker(LISTEN, *(word for each in listeners for word in each), prepare=wire.enter) as server,
        Worker(KNOCK, *(word for each in asked for word in each), prepare=wire.enter) as client,
        trace("network/tcpdrop") as traced,
    ):

        def dropped() -> list[Row]:
            rows = traced.events(reason="TCP_LISTEN_OVERFLOW")
            return [row for row in rows if row["destination_port"] in refused]

        client.work()
        traced.until(
            lambda: (
                len(dropped()) >= sum(refused.values())
                and len(dropped()) == counted_by_kernel(server, "TcpExtListenOverflows")
            ),
            "each packet that the kernel counts is seen",
        )
    counts = Counter((row["destination_port"], row["flags"]) for row in dropped())
    assert {(port, flags[port]) for port in refused} == set(counts)
    assert all(counts[port, flags[port]] >= count for port, count in refused.items())  # more where they are sent again
    assert traced.totals("by reason", "reason")["TCP_LISTEN_OVERFLOW"]["packets"] >= len(dropped())
    assert traced.losses() == {}


def test_closing_a_socket_drops_only_what_was_not_read() -> None:
    """The FIN that arrives at a closed socket waits there for nobody, and is freed without loss."""
    closing_first = SERVE.replace("while connection.recv(65536): pass", "connection.recv(100)")
    open_until_closed = CONNECT.replace("connection.shutdown(socket.SHUT_WR)", "")
    port = free_port()
    with (
        Worker(closing_first, 4, port, 11, 100) as server,
        Worker(open_until_closed, 4, port, 11, 100) as client,
        trace("network/tcpdrop", port=port) as traced,
        trace("network/tcpdrop", port=port, unspecified="true") as everything,
    ):
        server.start()
        client.work()
        server.finish()
        everything.until(lambda: bool(everything.events()), "packets are freed")
    assert traced.events() == []
    assert traced.totals("by reason", "reason") == {}
    normal = Counter(row["reason"] for row in everything.events())
    assert {reason: counts["packets"] for reason, counts in everything.totals("normal", "reason").items()} == normal
    assert set(normal) <= {"NOT_SPECIFIED", "QUEUE_PURGE"}
