"""The first frames, before there is a server."""

from __future__ import annotations

import contextlib
import socket

from ebpftop.collector.greeting import Greeting
from ebpftop.frames.messages import Catalog, Hello
from ebpftop.frames.reading import FrameDecoder
from tests.unit.collector.test_server import PROBE

CATALOG = Catalog(probes=[PROBE] * 3_000)  # more than a socket takes


def test_a_consumer_that_reads_nothing_yet_does_not_hold_it_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        unsent = Greeting(ours, CATALOG).finish()
        assert len(unsent) > 0
        ours.setblocking(False)
        decoder, frames = FrameDecoder(), []
        while len(frames) < 2:
            with contextlib.suppress(BlockingIOError):
                unsent = unsent[ours.send(unsent) :]
            frames += decoder.feed(theirs.recv(1 << 16))
        assert [type(frame) for frame in frames] == [Hello, Catalog]
        assert frames[1] == CATALOG


def test_a_consumer_that_is_gone_is_noticed_later() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert len(Greeting(ours, CATALOG).finish()) > 0
