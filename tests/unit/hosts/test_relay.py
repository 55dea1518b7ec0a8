"""The relay as a process of its own, with its standard input and output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from ebpftop.frames.stdio import GREETING
from tests.support.processes import SLOWER

FAR = """
import socket, sys, threading
from ebpftop.hosts import relay
relay.SILENCE = float(sys.argv[1])
ours, theirs = socket.socketpair()
def echo():
    while data := theirs.recv(1000):
        theirs.sendall(data.upper())
threading.Thread(target=echo, daemon=True).start()
sys.exit(relay.relay(ours))
"""


def started(silence: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FAR, str(silence)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )


@pytest.fixture
def far() -> Iterator[subprocess.Popen[bytes]]:
    with started(3600.0) as process:
        assert process.stdout
        assert process.stdout.read(len(GREETING)) == GREETING
        yield process
        process.kill()


def test_bytes_go_both_ways(far: subprocess.Popen[bytes]) -> None:
    assert far.stdin
    assert far.stdout
    far.stdin.write(b"frames")
    assert far.stdout.read(6) == b"FRAMES"


def test_it_ends_with_its_standard_input(far: subprocess.Popen[bytes]) -> None:
    assert far.stdin
    far.stdin.close()
    assert far.wait() == 0


def test_it_ends_with_its_standard_output(far: subprocess.Popen[bytes]) -> None:
    assert far.stdin
    assert far.stdout
    far.stdout.close()
    far.stdin.write(b"more")
    assert far.wait() == 0


def test_it_ends_when_nobody_says_anything() -> None:
    with started(0.2) as process:
        assert process.wait(60 * SLOWER) == 0
