"""Messages and descriptors between processes: whole, close-on-exec, in chunks, and never silently cut."""

from __future__ import annotations

import fcntl
import os
import resource
import threading

import pytest

from ebpftop import handover
from ebpftop.frames.messages import Rejected


def test_a_message_and_its_descriptors_arrive_whole() -> None:
    ours, theirs = handover.pair()
    read_end, write_end = os.pipe()
    handover.send(theirs, handover.StatisticsOn(), [write_end])
    os.close(write_end)
    message, descriptors = handover.Receiver(ours).receive()
    assert message == handover.StatisticsOn()
    os.write(descriptors[0], b"through")
    assert os.read(read_end, 20) == b"through"
    assert fcntl.fcntl(descriptors[0], fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    handover.close_all([*descriptors, read_end])


def test_more_descriptors_than_one_message_takes() -> None:
    ours, theirs = handover.pair()
    one = os.open(os.devnull, os.O_RDONLY)
    sender = threading.Thread(target=handover.send, args=(theirs, handover.StatisticsOn(), [one] * 601))
    sender.start()
    _, descriptors = handover.Receiver(ours).receive()
    sender.join()
    assert len(descriptors) == len(set(descriptors)) == 601
    handover.close_all([*descriptors, one])


def test_a_large_message_travels_beside_its_descriptors() -> None:
    ours, theirs = handover.pair()
    log = "R0 invalid mem access\n" * 200_000
    one = os.open(os.devnull, os.O_RDONLY)
    rejected = Rejected(run=1, probe="lab/x", params={}, stage="verify", error="no", log=log)
    handover.send(theirs, handover.Failure(rejected=rejected), [one])
    message, descriptors = handover.Receiver(ours).receive()
    assert message.rejected.log == log
    assert len(descriptors) == 1
    handover.close_all([*descriptors, one])


def test_a_closed_sender_is_the_end() -> None:
    ours, theirs = handover.pair()
    theirs.close()
    assert handover.Receiver(ours).receive() is None


def test_a_sender_that_vanishes_in_the_middle_is_an_error_and_leaks_nothing() -> None:
    ours, theirs = handover.pair()
    before = set(os.listdir("/proc/self/fd"))
    theirs.sendall(handover._encode(handover._Header(3, b"\x80")))
    theirs.close()
    with pytest.raises(handover.HandoverError, match="vanished"):
        handover.Receiver(ours).receive()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_descriptors_cut_off_by_the_limit_are_an_error() -> None:
    ours, theirs = handover.pair()
    one = os.open(os.devnull, os.O_RDONLY)
    handover.send(theirs, handover.StatisticsOn(), [one] * 40)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, hard))
    try:
        with pytest.raises(handover.HandoverError, match="limit of open files"):
            handover.Receiver(ours).receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(one)


def test_what_is_no_message_is_an_error() -> None:
    ours, theirs = handover.pair()
    theirs.sendall(b"hello")
    with pytest.raises(handover.HandoverError, match="does not decode"):
        handover.Receiver(ours).receive()


def test_nothing_whole_yet_on_a_non_blocking_socket() -> None:
    ours, theirs = handover.pair()
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        handover.Receiver(ours).receive()
    theirs.close()
