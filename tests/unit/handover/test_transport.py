"""Messages and descriptors between processes: whole, close-on-exec, in chunks, and never silently cut."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import threading

import pytest

from ebpftop.frames.messages import Failed
from ebpftop.handover import protocol, transport


def test_a_message_and_its_descriptors_arrive_whole() -> None:
    ours, theirs = transport.pair()
    read_end, write_end = os.pipe()
    transport.send(theirs, protocol.RunTimesOn(), [write_end])
    os.close(write_end)
    message, descriptors = transport.Receiver(ours).receive()
    assert message == protocol.RunTimesOn()
    os.write(descriptors[0], b"through")
    assert os.read(read_end, 20) == b"through"
    assert fcntl.fcntl(descriptors[0], fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    transport.close_all([*descriptors, read_end])


def test_more_descriptors_than_one_message_takes() -> None:
    ours, theirs = transport.pair()
    one = os.open(os.devnull, os.O_RDONLY)
    sender = threading.Thread(target=transport.send, args=(theirs, protocol.RunTimesOn(), [one] * 601))
    sender.start()
    _, descriptors = transport.Receiver(ours).receive()
    sender.join()
    assert len(descriptors) == len(set(descriptors)) == 601
    transport.close_all([*descriptors, one])


def test_a_large_message_travels_beside_its_descriptors() -> None:
    ours, theirs = transport.pair()
    log = "R0 invalid mem access\n" * 200_000
    one = os.open(os.devnull, os.O_RDONLY)
    outcome = Failed(stage="verify", error="no", log=log)
    transport.send(theirs, protocol.LoadFailed(outcome=outcome), [one])
    message, descriptors = transport.Receiver(ours).receive()
    assert message.outcome == outcome
    assert len(descriptors) == 1
    transport.close_all([*descriptors, one])


def test_a_closed_sender_is_the_end() -> None:
    ours, theirs = transport.pair()
    theirs.close()
    assert transport.Receiver(ours).receive() is None


def test_a_sender_that_vanishes_in_the_middle_is_an_error_and_leaks_nothing() -> None:
    ours, theirs = transport.pair()
    before = set(os.listdir("/proc/self/fd"))
    theirs.sendall(transport._encode(transport._Header(3, b"\x80")))
    theirs.close()
    with pytest.raises(transport.TransportError, match="vanished"):
        transport.Receiver(ours).receive()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_descriptors_cut_off_by_the_limit_are_an_error() -> None:
    ours, theirs = transport.pair()
    one = os.open(os.devnull, os.O_RDONLY)
    transport.send(theirs, protocol.RunTimesOn(), [one] * 40)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, hard))
    try:
        with pytest.raises(transport.TransportError, match="limit of open files"):
            transport.Receiver(ours).receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(one)


def test_what_is_no_message_is_an_error() -> None:
    ours, theirs = transport.pair()
    theirs.sendall(b"hello")
    with pytest.raises(transport.TransportError, match="does not decode"):
        transport.Receiver(ours).receive()


@pytest.mark.parametrize(
    "body",
    [
        b"\x82\xa4kind\xaataskfailed\xa5error\xa3x\xff\xc3",  # a text that is no UTF-8
        b"\x83\xa4kind\xaataskfailed\xa5error\xa1x\xa4more" + b"\x91" * 5_000 + b"\xc0",  # deeper than is read
    ],
    ids=["no UTF-8", "too deep"],
)
def test_nor_is_a_body_that_no_sender_of_ours_makes(body: bytes) -> None:
    ours, theirs = transport.pair()
    theirs.sendall(transport._encode(transport._Header(0, body)))
    with pytest.raises(transport.TransportError, match="does not decode"):
        transport.Receiver(ours).receive()


def test_nothing_whole_yet_on_a_non_blocking_socket() -> None:
    ours, theirs = transport.pair()
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        transport.Receiver(ours).receive()
    theirs.close()


def test_more_descriptors_than_a_receiver_takes_are_an_error_at_once() -> None:
    ours, theirs = transport.pair()
    theirs.sendall(transport._encode(transport._Header(1_000_000, None)))
    with pytest.raises(transport.TransportError, match="claims 1000000 descriptors of 1"):
        transport.Receiver(ours, most=1).receive()


def test_a_datagram_without_its_descriptors_is_an_error() -> None:
    ours, theirs = transport.pair()
    theirs.sendall(transport._encode(transport._Header(1, None)))
    theirs.sendall(b".")
    with pytest.raises(transport.TransportError, match="brought none"):
        transport.Receiver(ours).receive()


def test_a_message_in_a_file_that_may_block_is_not_read() -> None:
    ours, theirs = transport.pair()
    reading, writing = os.pipe()
    theirs.sendall(transport._encode(transport._Header(1, None)))
    socket.send_fds(theirs, [b"."], [reading])
    with pytest.raises(transport.TransportError, match="does not decode"):
        transport.Receiver(ours).receive()
    transport.close_all([reading, writing])


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_WRITE])
def test_a_message_in_a_file_that_may_change_is_not_read(seals: int) -> None:
    ours, theirs = transport.pair()
    file = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    os.write(file, transport._encode(protocol.RunTimesOn()))
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    theirs.sendall(transport._encode(transport._Header(1, None)))
    socket.send_fds(theirs, [b"."], [file])
    with pytest.raises(transport.TransportError, match="is not sealed"):
        transport.Receiver(ours).receive()
    os.close(file)


def test_what_a_reader_does_not_take_waits_and_arrives_in_order() -> None:
    ours, theirs = transport.pair()
    sender, receiver = transport.Sender(theirs), transport.Receiver(ours)
    one = os.open(os.devnull, os.O_RDONLY)
    for number in range(3000):
        sender.send(protocol.Channel(run=number), [one])
    assert len(sender) > 0
    for number in range(3000):
        sender.flush()
        message, descriptors = receiver.receive()
        assert message == protocol.Channel(run=number)
        assert len(descriptors) == 1
        transport.close_all(descriptors)
    assert len(sender) == 0
    os.close(one)
