"""Probes of packets: retransmitted, dropped, reset; their latency and their processes."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.support.network import BULK, CONNECT, DRAIN, ECHO, FAR, NEAR, PING, REFUSED, SERVE, Wire, free_port
from tests.support.processes import eventually
from tests.support.tracing import any_kernel, trace
from tests.support.witness import PACKETS, unless_unseen
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf


def tcp_count(pid: int, name: str) -> int:
    """What the kernel has counted in the network namespace of a process, from /proc/net/snmp."""
    names, values = (
        line.split() for line in Path(f"/proc/{pid}/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return int(values[names.index(name)])


def sent_again(pid: int) -> int:
    """Segments sent again from the network namespace of a process, once none is left there that could be.

    The last ones may be on their way when the work is done, and on a slow machine are sent once more.
    """
    eventually(lambda: not any(waiting(pid)), "every segment is acknowledged")
    return tcp_count(pid, "RetransSegs")


def waiting(pid: int) -> list[int]:
    """What each TCP socket of a process's network namespace has sent without an acknowledgement: tx_queue, in bytes."""
    sockets = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return [int(line.split()[4].partition(":")[0], 16) for line in sockets]


def test_tcpretrans_sees_every_segment_that_was_lost() -> None:
    """The wire loses the first SYN and the first copy of each of 6 bytes. The kernel's own count is the witness."""
    with (
        Wire(lose="syn data", port=80) as wire,
        Worker(ECHO, NEAR, 80, prepare=wire.enter) as server,
        Worker(PING, FAR, 80, NEAR, 6, prepare=wire.enter) as client,
        trace("network/tcpretrans", address=FAR) as traced,
    ):
        server.start()
        client.work()
        expected = sent_again(client.pid)
        traced.until(lambda: len(traced.events(remote=FAR)) >= expected, "all segments sent again")
    rows = traced.events(remote=FAR)
    assert len(rows) == expected
    states = Counter(row["state"] for row in rows if row["remote_port"] == "80")
    assert states >= Counter(SYN_SENT=1, ESTABLISHED=6)  # a slow machine sends again what was only late
    assert {(row["local"], row["user"]) for row in rows} == {(NEAR, "root")}
    assert traced.totals("by address", "remote")[FAR] == {
        "segments": expected,
        "bytes": sum(row["bytes"] for row in rows),
    }
    assert traced.losses() == {}


@unless_unseen(*PACKETS)
def test_tcpretrans_counts_the_segments_of_what_is_sent_again_at_once() -> None:
    with (
        Wire(lose="data", port=80) as wire,
        Worker(DRAIN, NEAR, 80, 17_000, prepare=wire.enter) as server,
        Worker(BULK, FAR, 80, NEAR, 17_000, prepare=wire.enter) as client,
        trace("network/tcpretrans", address=FAR) as traced,
    ):
        server.start()
        client.work()
        server.finish()
        expected = sent_again(client.pid)
        traced.until(
            lambda: sum(row["segments"] for row in traced.events(remote=FAR)) >= expected, "all segments sent again"
        )
    rows = traced.events(remote=FAR)
    assert sum(row["segments"] for row in rows) == expected >= 17
    assert len(rows) < expected
    assert traced.totals("by address", "remote")[FAR]["segments"] == expected
    assert all(row["bytes"] <= 1000 * row["segments"] for row in rows)


def test_a_refused_connection_is_a_packet_dropped_and_a_reset() -> None:
    port = free_port()
    with (
        Worker(REFUSED, port, 13) as client,
        trace("network/tcpdrop", port=port) as drops,
        trace("network/tcprst", port=port, address="127.0.0.1") as resets,
    ):
        client.work()
        drops.until(lambda: len(drops.events(reason="NO_SOCKET")) >= 13, "13 packets dropped")
        resets.until(lambda: len(resets.events(what="received")) >= 13, "13 resets received")
    refused = drops.events(reason="NO_SOCKET")
    assert [(row["destination"], row["destination_port"], row["flags"]) for row in refused] == [
        ("127.0.0.1", str(port), "SYN")
    ] * 13
    assert drops.totals("by reason", "reason")["NO_SOCKET"] == {"packets": 13}
    assert drops.losses() == resets.losses() == {}

    received = resets.events(what="received")
    assert [(row["remote"], row["remote_port"], row["state"]) for row in received] == [
        ("127.0.0.1", str(port), "SYN_SENT")
    ] * 13
    sent = resets.events(what="sent")
    if resets.variant == "reason":
        assert [(row["local_port"], row["state"], row["reason"]) for row in sent] == [(str(port), "", "NO_SOCKET")] * 13
    else:  # before Linux 6.10 the kernel doesn't tell of resets without a socket
        assert sent == []


def test_tcprst_tells_who_cut_a_connection_off() -> None:
    code = """
import socket, struct
def work():
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
"""
    port = free_port()
    with (
        Worker(SERVE, 4, port, 0, 0),  # it listens, and does nothing that could cross a reset on its way
        Worker(code, port) as client,
        trace("network/tcprst", port=port) as traced,
    ):
        client.work()
        traced.until(lambda: len(traced.events()) >= 10, "10 resets")
    sent, received = traced.events(what="sent"), traced.events(what="received")
    assert [row["remote_port"] for row in sent] == [str(port)] * 5
    assert [row["local_port"] for row in received] == [str(port)] * 5
    assert sorted(row["local_port"] for row in sent) == sorted(row["remote_port"] for row in received)
    assert traced.losses() == {}


def test_tcprtt_takes_a_sample_of_every_segment_received(tmp_path: Path) -> None:
    """Pings over loopback count, where the client's TCP_INFO is the witness; pings over a slow wire take their time."""
    segments = tmp_path / "segments"
    count = PING + f"    open({str(segments)!r}, 'wb').write(connection.getsockopt(socket.IPPROTO_TCP, 11, 144))\n"
    port = free_port()
    with (
        Worker(ECHO, "127.0.0.2", port) as server,
        Worker(count, "127.0.0.2", port, "127.0.0.3", 101) as client,
        Wire(delay=0.031) as wire,
        Worker(ECHO, NEAR, port, prepare=wire.enter) as far_server,
        Worker(PING, FAR, port, NEAR, 3, prepare=wire.enter) as far_client,
        trace("network/tcprtt", port=port) as traced,
    ):
        server.start()
        client.work()
        far_server.start()
        far_client.work()
    (received,) = struct.unpack_from("I", segments.read_bytes(), 140)  # tcpi_segs_in
    assert received > 101
    assert traced.count("rtt", remote="127.0.0.2") == received - 1  # the answer to its SYN made it established
    assert min(low for low, _ in traced.buckets("rtt", remote=FAR)) >= 2 * 31_000_000 * 8 // 9
    assert traced.losses() == {}


def test_tcptop_counts_the_bytes_of_each_process() -> None:
    port = free_port()
    peeking = CONNECT.replace("while connection", "connection.recv(7, socket.MSG_PEEK)\n            while connection")
    with (
        Worker(SERVE, 4, port, 7, 100_003) as server,
        Worker(peeking, 4, port, 7, 997) as client,
        trace("network/tcptop", port=port) as traced,
    ):
        server.start()
        client.work()
        server.finish()
    by_process = traced.totals("traffic", "pid")
    assert by_process == {
        client.pid: {"sent": 7 * 997, "received": 7 * 100_003},
        server.pid: {"sent": 7 * 100_003, "received": 7 * 997},
    }
    assert traced.totals("traffic", "remote_port")[str(port)] == {"sent": 7 * 997, "received": 7 * 100_003}
    assert traced.losses() == {}


@any_kernel
def test_filters_leave_out_other_ports_and_processes() -> None:
    port, other = free_port(), free_port()
    with (
        Worker(REFUSED, port, 3) as client,
        Worker(SERVE, 4, other, 3, 5) as server,
        Worker(CONNECT, 4, other, 3, 7) as talker,
        trace("network/tcpdrop", port=other) as drops,
        trace("network/tcprst", address="::1") as resets,
        trace("network/tcptop", pid=talker.pid) as traffic,
    ):
        client.work()
        server.start()
        talker.work()
        server.finish()
    assert drops.events(reason="NO_SOCKET") == resets.events() == []
    assert traffic.totals("traffic", "pid") == {talker.pid: {"sent": 21, "received": 15}}
