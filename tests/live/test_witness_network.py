"""Network probes beside the kernel's own counters, under load that queues and limits don't let through."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from ebpftop.kernel.headers import version_code
from tests.support.network import (
    BULK,
    CONNECT,
    DATAGRAMS,
    DRAIN,
    FAR,
    NEAR,
    SERVE,
    SLOW_LOOPBACK,
    Wire,
    device_counts,
    free_port,
)
from tests.support.processes import eventually
from tests.support.tracer import PATIENCE
from tests.support.tracing import Row, any_kernel, trace
from tests.support.witness import PACKETS, unless_unseen
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


# ---------------------------------------------------------------- a queue that drops

SHAPE = (
    SLOW_LOOPBACK
    + """
slow_down(250_000, limit=12_000)
def work():
    with open(sys.argv[1], "w") as file: print(*queue_counts(), file=file)
"""
)
SEND = BULK + "    connection.close()\n"


@any_kernel
@unless_unseen(*PACKETS)
def test_what_a_full_queue_drops_and_lets_through_is_counted(tmp_path: Path) -> None:
    """A sender of 53,000 bytes overruns a queue on its own machine, which takes 12,000 and cuts them into segments."""
    counts = tmp_path / "counts"
    with (
        Wire() as wire,
        Worker(SHAPE, counts, prepare=wire.enter) as queue,
        Worker(DRAIN, "127.0.0.1", 81, 53_000, prepare=wire.enter) as server,
        Worker(SEND, "127.0.0.1", 81, "127.0.0.1", 53_000, prepare=wire.enter) as client,
        trace("network/tcpdrop", port=81) as drops,
        trace("network/tcpretrans", port=81) as again,
        trace("network/tcptop", port=81) as traffic,
        trace("network/tcplife", port=81) as lives,
        trace("network/qdisclat") as queues,
        trace("network/netdevtop") as devices,
    ):
        server.start()
        client.work()
        server.finish()
        lives.until(lambda: bool(lives.events(pid=client.pid)), "the connection is closed")
        queue.work()
        left, dropped = map(int, counts.read_text().split())
        sent_again = counted_by_kernel(client, "TcpRetransSegs", "snmp")
        sent_again -= counted_by_kernel(client, "TcpExtTCPRetransFail")  # dropped once more, by the queue
        carried = device_counts(client.pid, "lo")
        namespace = os.stat(f"/proc/{client.pid}/ns/net").st_ino
    assert dropped > 0
    assert drops.totals("by reason", "reason") == {"QDISC_DROP": {"packets": dropped}}
    assert sum(row["segments"] for row in again.events()) == sent_again > 0
    assert traffic.totals("traffic", "pid") == {
        client.pid: {"sent": 53_000, "received": 1},
        server.pid: {"sent": 1, "received": 53_000},
    }
    ends = [(row["sent"], row["received"]) for row in lives.events() if row["local_port"] != "81"]
    assert ends == [(53_000, 1)]  # each byte once, however often it was sent
    assert queues.totals("packets", "name")["lo"]["left"] >= left
    found: Counter[str] = Counter()
    for row in devices.events("traffic", namespace=namespace, device="lo"):
        found.update({name: row[name] for name in carried})
    assert found == carried
    for each in (drops, again, traffic, lives, devices):
        assert each.losses() == {}


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


@pytest.mark.skipif(
    version_code(os.uname().release) < 6 << 16 | 12 << 8, reason="kernels before 6.12 hide some of these packets"
)
@unless_unseen(*PACKETS)
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
        trace("network/tcpconnect", pid=client.pid) as connects,
        trace("network/tcpsynbl") as queues,
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
        active = counted_by_kernel(client, "TcpActiveOpens", "snmp")
        passive = counted_by_kernel(client, "TcpPassiveOpens", "snmp")
    counts = Counter((row["destination_port"], row["flags"]) for row in dropped())
    assert {(port, flags[port]) for port in refused} == set(counts)
    assert all(counts[port, flags[port]] >= count for port, count in refused.items())  # more where they are sent again
    assert traced.totals("by reason", "reason")["TCP_LISTEN_OVERFLOW"]["packets"] >= len(dropped())
    assert len(connects.events()) == active == 4 * 16 + 5 + 7
    assert sum(queues.count("queue", port=port) for port in refused) == passive == 4 * 3 + 8
    assert traced.losses() == connects.losses() == queues.losses() == {}


@unless_unseen(*PACKETS)
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


# ---------------------------------------------------------------- tcpaccept

# Each time: accepts what is in its queue, and notes where it came from.
ACCEPT = """
import socket
server = socket.create_server(("127.0.0.1", 81), backlog=int(sys.argv[1]))
server.setblocking(False)
def work():
    with open(sys.argv[2], "a") as file:
        while True:
            try: _, (_, port) = server.accept()
            except BlockingIOError: break
            print(port, file=file)
"""
# By turns: asks for so many connections at once, and gives up on all of them.
GIVE_UP = """
import socket, struct
connections = []
def work():
    if connections:
        while connections: connections.pop().close()
        return
    for _ in range(int(sys.argv[1])):
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it resets it
        one.connect_ex(("127.0.0.1", 81))
        connections.append(one)
"""


@any_kernel
@unless_unseen(*PACKETS)
def test_connections_are_accepted_from_a_full_queue_even_if_their_clients_gave_up(tmp_path: Path) -> None:
    """Of 41 connections at once 23 fit into the queue: the backlog's 22 and one more."""
    ports = tmp_path / "ports"
    with (
        Wire() as wire,
        Worker(ACCEPT, 22, ports, prepare=wire.enter) as server,
        Worker(GIVE_UP, 41, prepare=wire.enter) as client,
        trace("network/tcpaccept", pid=server.pid) as traced,
    ):
        client.work()
        eventually(lambda: counted_by_kernel(server, "TcpPassiveOpens", "snmp") == 23, "the queue is full", PATIENCE)
        assert traced.events() == []
        client.work()
        eventually(lambda: counted_by_kernel(server, "TcpEstabResets", "snmp") == 2 * 23, "both ends reset", PATIENCE)
        server.work()
        client.work()
        eventually(lambda: counted_by_kernel(server, "TcpPassiveOpens", "snmp") == 2 * 23, "it is again", PATIENCE)
        overflows = counted_by_kernel(server, "TcpExtListenOverflows")
        server.work()
    assert overflows >= 2 * (41 - 23)  # more where a SYN is sent again
    accepted = ports.read_text().split()
    assert len(accepted) == 2 * 23
    rows = [(row["local"], row["local_port"], row["remote"], row["remote_port"]) for row in traced.events()]
    assert rows == [("127.0.0.1", "81", "127.0.0.1", port) for port in accepted]
    assert traced.losses() == {}


# ---------------------------------------------------------------- icmpsnoop


@any_kernel
@unless_unseen(*PACKETS)
def test_messages_below_the_kernels_own_limit_are_those_it_counts() -> None:
    """The kernel answers datagrams to a closed port by a few ICMP messages a second, not each."""
    with (
        Wire() as wire,
        Worker(DATAGRAMS.replace("127.0.0.1", FAR), 9, 31, 100, prepare=wire.enter) as sender,
        trace("network/icmpsnoop", address=FAR) as traced,
    ):
        sender.work()
        traced.until(
            lambda: len(traced.events(what="sent")) == counted_by_kernel(sender, "IcmpOutMsgs", "snmp") > 0,
            "as many messages as the kernel counts",
        )
        limited = counted_by_kernel(sender, "IcmpOutRateLimitHost", "snmp")
    assert {row["message"] for row in traced.events(what="sent")} == {"destination unreachable: port"}
    assert len(traced.events(what="sent")) + limited == 31
    assert traced.losses() == {}
