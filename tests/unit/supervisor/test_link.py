"""What a child that was taken over can send: a message that breaks a bound ends its link, and nothing else."""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
from collections.abc import Iterator

import pytest

from ebpftop.handover import protocol, transport
from ebpftop.supervisor.link import Link

ASKED = protocol.RequestRunTimes(run=1)
LARGEST = 16 << 20


class Linked:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        ours, self.child = transport.pair()
        ours.setblocking(False)
        self.taken: list[protocol.AnyMessage] = []
        self.ends = 0
        self.link = Link(self.selector, ours, self.taken.append, self._ended)

    def _ended(self) -> None:
        self.ends += 1

    def look(self) -> None:
        """Until nothing is left to read."""
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()


@pytest.fixture
def linked() -> Iterator[Linked]:
    one = Linked()
    yield one
    one.link.close()
    one.child.close()
    one.selector.close()


def send_file(to: socket.socket, size: int, more: int = 0) -> None:
    """The header of a message in a sealed file of so many bytes, and the file; so many more descriptors."""
    memfd = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    os.write(memfd, transport._encode(ASKED))
    os.truncate(memfd, size or os.fstat(memfd).st_size)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, transport._SEALS)
    to.sendall(transport._encode(transport._Header(1 + more, None)))
    socket.send_fds(to, [b"."], [memfd] * (1 + more))
    os.close(memfd)


def test_a_message_comes_by_itself_or_in_a_file(linked: Linked) -> None:
    transport.send(linked.child, ASKED)
    send_file(linked.child, 0)
    linked.look()
    assert (linked.taken, linked.ends) == ([ASKED, ASKED], 0)


def test_two_descriptors_end_it(linked: Linked) -> None:
    send_file(linked.child, 0, more=1)
    transport.send(linked.child, ASKED)
    linked.look()
    assert (linked.taken, linked.ends) == ([], 1)


@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1])
def test_what_is_larger_than_16_mib_is_not_read(linked: Linked, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def pread(descriptor: int, count: int, at: int) -> bytes:
        read.append(count)
        return b"no message"

    monkeypatch.setattr(os, "pread", pread)
    send_file(linked.child, size)
    linked.look()
    assert (linked.taken, linked.ends) == ([], 1)
    assert read == ([size] if size <= LARGEST else [])
