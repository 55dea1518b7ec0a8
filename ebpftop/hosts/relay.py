"""The remote side: frames of the collector there go to standard output, requests come from standard input.

It ends with either of them, and after some time without any input: the other side sends something every few seconds, so
a half-open connection doesn't keep probes attached.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable

from ebpftop.base.readable import readable
from ebpftop.frames.stdio import GREETING

SILENCE = 15.0  # seconds without a word from whoever watches


def relay(stream: socket.socket) -> int:
    """Pass bytes both ways until one side ends; returns the exit status."""
    over = threading.Event()
    for way in (_requests, _frames):
        threading.Thread(target=_until_the_end, args=(way, stream, over), daemon=True).start()
    over.wait()
    return 0


def _until_the_end(way: Callable[[socket.socket], None], stream: socket.socket, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        way(stream)
    over.set()


def _requests(stream: socket.socket) -> None:
    while readable([0], SILENCE) and (data := os.read(0, 1 << 16)):
        stream.sendall(data)


def _frames(stream: socket.socket) -> None:
    _write(GREETING)
    while data := stream.recv(1 << 18):
        _write(data)


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
