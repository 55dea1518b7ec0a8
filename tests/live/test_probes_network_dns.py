"""network/dnssnoop: the test's own server answers late, with NXDOMAIN, or not at all."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.network import Wire
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# Answers after 31 ms, with one address where the name begins with "p" and else NXDOMAIN; leaves "lost" unanswered.
SERVE = """
import socket, struct, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
def work():
    for _ in range(int(sys.argv[1])):
        question, client = server.recvfrom(512)
        time.sleep(0.031)
        if question[13:17] == b"lost": continue
        found = question[13:14] == b"p"
        header = struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, found, 0, 0)
        server.sendto(question[:2] + header + question[12:], client)
"""
ASK = """
import socket, struct
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.bind(("127.0.0.1", 0))
def ask(number, name, kind):
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    header = struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0)
    asker.sendto(header + labels + struct.pack("!BHH", 0, kind, 1), ("127.0.0.1", 53))
def work():
    for number in range(7): ask(number, b"prime.example", 1); asker.recv(512)
    for number in range(7, 12): ask(number, b"other.example", 28); asker.recv(512)
    ask(12, b"lost.example", 1)
"""


def test_questions_and_their_answers() -> None:
    with (
        Wire() as wire,
        Worker(SERVE, 13, prepare=wire.enter) as server,
        Worker(ASK, prepare=wire.enter, name="asking") as asking,
        trace("network/dnssnoop", comm="asking") as traced,
    ):
        server.start()
        asking.work()
        server.finish()
        traced.until(lambda: len(traced.events(what="answer")) >= 12, "12 answers")
    rows = traced.events(pid=asking.pid)
    assert Counter((row["question"], row["what"], row["error"], row["answers"]) for row in rows) == {
        ("prime.example A", "query", "", 0): 7,
        ("prime.example A", "answer", "", 1): 7,
        ("other.example AAAA", "query", "", 0): 5,
        ("other.example AAAA", "answer", "NXDOMAIN", 0): 5,
        ("lost.example A", "query", "", 0): 1,
    }
    assert {row["server"] for row in rows} == {"127.0.0.1"}
    assert min(row["took"] for row in rows if row["what"] == "answer") >= 31_000_000
    assert traced.losses() == {}


@any_kernel
def test_only_slow_answers_are_told() -> None:
    with (
        Wire() as wire,
        Worker(SERVE, 13, prepare=wire.enter) as server,
        Worker(ASK, prepare=wire.enter, name="asking") as asking,
        trace("network/dnssnoop", comm="asking", slower="1h") as slow,
        trace("network/dnssnoop", comm="asking", slower="30ms") as traced,
    ):
        server.start()
        asking.work()
        server.finish()
        traced.until(lambda: len(traced.events(what="answer")) >= 12, "12 answers")
    assert len(traced.events()) == 12
    assert slow.events() == []
