"""What a child that was taken over can send: what isn't a message ends its link, and nothing else."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Iterator

import pytest

from ebpftop.handover import mailbox, protocol, transport
from ebpftop.supervisor.link import Link

ASKED = protocol.RequestRunTimes(run=1)
LARGEST = 1 << 16


class Linked:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.ours, self.child = mailbox.pair(LARGEST)
        self.taken: list[protocol.AnyMessage] = []
        self.ends = 0
        self.link = Link(self.selector, self.ours, self.taken.append, self._ended)

    def _ended(self) -> None:
        self.ends += 1

    def look(self) -> None:
        """Until nothing is left to read."""
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def write(self, data: bytes, size: int | None = None) -> None:
        """As a child that follows no rule."""
        file, event = self.child.mailbox.descriptors
        os.pwrite(file, (len(data) if size is None else size).to_bytes(8, "little") + data, 0)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(event, 1)


@pytest.fixture
def linked() -> Iterator[Linked]:
    one = Linked()
    yield one
    one.link.close()
    one.child.socket.close()
    one.selector.close()


def test_messages_come_in_order(linked: Linked) -> None:
    many = [protocol.RequestRunTimes(run=run) for run in range(9)]
    for each in many:
        linked.child.mailbox.send(each)
    while len(linked.taken) < len(many):
        linked.look()
        linked.child.mailbox.flush()
    assert (linked.taken, linked.ends) == (many, 0)


@pytest.mark.parametrize("size", [LARGEST + 1, (1 << 64) - 1])
def test_what_is_too_large_is_not_read(linked: Linked, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def counted(descriptor: int, count: int, at: int) -> bytes:
        read.append(count)
        return pread(descriptor, count, at)

    monkeypatch.setattr(os, "pread", counted)
    linked.write(b"", size)
    linked.look()
    assert (linked.taken, linked.ends, sum(read)) == ([], 1, 8)


def test_a_message_that_is_too_large_is_not_sent(linked: Linked) -> None:
    with pytest.raises(OSError, match="the message has"):
        linked.child.mailbox.send(protocol.RequestLoad(run=1, request=1, probe="x" * LARGEST, params={}))
    linked.look()
    assert (linked.taken, linked.ends) == ([], 0)


@pytest.mark.parametrize("size", [0, 100, LARGEST])
def test_what_is_no_message_ends_it(linked: Linked, size: int) -> None:
    linked.write(b"no message", size)
    linked.look()
    assert (linked.taken, linked.ends) == ([], 1)
    linked.link._on_message()  # which had been due as well
    assert linked.ends == 1


def test_a_file_that_is_cut_ends_it(linked: Linked) -> None:
    linked.child.mailbox.send(ASKED)
    os.truncate(linked.child.mailbox.descriptors[0], 0)
    linked.look()
    assert (linked.taken, linked.ends) == ([], 1)


def test_an_event_that_the_child_reads_itself_and_makes_block_holds_nobody_up(linked: Linked) -> None:
    os.set_blocking(linked.child.mailbox.fileno(), True)
    linked.child.mailbox.send(ASKED)
    ((key, _),) = linked.selector.select(0)
    os.eventfd_read(linked.child.mailbox.fileno())
    key.data()
    assert (linked.taken, linked.ends) == ([], 0)


def test_nothing_can_be_sent_to_root_over_a_socket() -> None:
    """Descriptors could come along, and root would have to close them."""
    (ours, _), theirs = mailbox.pair(LARGEST)
    root_tasks, collectors = transport.one_way()
    for root, child in ((ours, theirs.socket), (root_tasks, collectors)):
        with pytest.raises(BrokenPipeError):
            socket.send_fds(child, [b"."], [0])
        transport.send(root, protocol.RunTimesOn(), [0])
        received = transport.Receiver(child).receive()
        assert received is not None
        transport.close_all(received[1])
        root.close()
        child.close()
    theirs.mailbox.close()
