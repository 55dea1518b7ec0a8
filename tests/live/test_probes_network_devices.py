"""Probes of devices and below TCP: what they carry, how long packets queue, and ICMP."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.support.network import BULK, DATAGRAMS, DRAIN, SLOW_LOOPBACK, Wire, device_counts
from tests.support.tracing import trace
from tests.support.witness import PACKETS, unless_unseen
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# Pings of 32 bytes to the network's own loopback, by IPv4 and IPv6; the kernel answers.
PINGS = """
import socket, struct
four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
def work():
    for _ in range(11): four.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FE, 1, 0) + bytes(24), ("127.0.0.1", 0))
    for _ in range(5): six.sendto(struct.pack("!BBHHH", 128, 0, 0, 1, 0) + bytes(24), ("::1", 0))
"""


def namespace_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/net").st_ino


@unless_unseen(*PACKETS)
def test_netdevtop_counts_what_a_device_carries() -> None:
    """To a port nobody reads from: each datagram comes back as an ICMP message, as /proc/net/dev counts as well."""
    with (
        Wire() as wire,
        Worker(DATAGRAMS, 9, 23, 1000, prepare=wire.enter) as sender,
        trace("network/netdevtop") as traced,
    ):
        before = device_counts(sender.pid, "lo")
        sender.work()
        counted = {name: value - before[name] for name, value in device_counts(sender.pid, "lo").items()}
        namespace = namespace_of(sender.pid)
    mine: Counter[str] = Counter()
    for row in traced.events("traffic", namespace=namespace, device="lo"):  # the wire itself has packets of its own
        mine.update({name: row[name] for name in (*counted, "sent_bytes", "refused")})
    assert counted["sent"] == counted["received"] == 2 * 23
    assert {name: mine[name] for name in counted} == counted
    assert mine["sent_bytes"] == mine["received_bytes"] + 14 * counted["sent"]  # sent with the link's header
    assert mine["refused"] == 0
    assert traced.losses() == {}


@unless_unseen(*PACKETS)
def test_qdisclat_measures_the_wait_in_a_slow_queue() -> None:
    """1042 bytes at 125,000 a second take 8.3 ms; one packet goes at once, the tenth after it waits for nine others.

    Half of that is asked for, as packets come one after another and so wait less.
    """
    with (
        Wire() as wire,
        Worker(SLOW_LOOPBACK + DATAGRAMS + "slow_down(125_000)\n", 9, 11, 1000, prepare=wire.enter) as sender,
        trace("network/qdisclat") as traced,
    ):
        sender.work()
        traced.until(lambda: traced.count("delay", device="lo") >= 11, "11 packets have left the queue")
    assert max(low for low, _ in traced.buckets("delay", device="lo")) >= 0.5 * 9 * 8.3e6
    packets = traced.totals("packets", "name")["lo"]
    assert packets["left"] == packets["timed"] == traced.count("delay", device="lo")
    assert traced.losses() == {}


@unless_unseen(*PACKETS)
def test_qdisclat_says_how_many_packets_it_has_no_time_of() -> None:
    """The queue cuts what TCP sends at once into segments of 1000 bytes: 53 of them."""
    with (
        Wire() as wire,
        Worker(DRAIN, "127.0.0.1", 81, 53_000, prepare=wire.enter) as server,
        Worker(
            SLOW_LOOPBACK + BULK + "slow_down(1_000_000)\n", "127.0.0.1", 81, "127.0.0.1", 53_000, prepare=wire.enter
        ) as client,
        trace("network/qdisclat") as traced,
    ):
        server.start()
        client.work()
        server.finish()
        traced.until(
            lambda: traced.totals("packets", "name").get("lo", Counter())["left"] >= 53, "53 packets have left"
        )
    packets = traced.totals("packets", "name")["lo"]
    assert packets["left"] >= 53
    assert 0 < packets["timed"] == traced.count("delay", device="lo") <= packets["left"] - 40


@unless_unseen(*PACKETS)
def test_icmpsnoop_tells_pings_and_unreachable_ports() -> None:
    with (
        Wire() as wire,
        Worker(PINGS, prepare=wire.enter) as pinging,
        Worker(DATAGRAMS, 9, 7, 100, prepare=wire.enter) as sending,
        trace("network/icmpsnoop") as traced,
        trace("network/icmpsnoop", address="::1") as only,
    ):
        pinging.work()
        sending.work()
        traced.until(lambda: len(traced.events(what="received", bytes=128 + 28)) >= 7, "7 unreachable ports")
    rows = [row for row in traced.events(device="lo") if row["message"].startswith(("echo", "destination"))]
    assert Counter((row["source"], row["message"], row["what"], row["bytes"]) for row in rows) == {
        (source, message, what, size): count
        for what in ("sent", "received")
        for source, message, size, count in (
            ("127.0.0.1", "echo request", 52, 11),
            ("127.0.0.1", "echo reply", 52, 11),
            ("127.0.0.1", "destination unreachable: port", 156, 7),
            ("::1", "echo request", 72, 5),
            ("::1", "echo reply", 72, 5),
        )
    }
    assert {(row["source"], row["destination"]) for row in only.events(device="lo")} == {("::1", "::1")}
    assert traced.losses() == {}
