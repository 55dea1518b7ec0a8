"""What several live tests stand on."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.tracer import CHECKOUT


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    """The program's own supervisor and collector, as a dashboard has them."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen([sys.executable, "-B", "-m", "tests.support.supervised"], stdin=theirs, cwd=CHECKOUT):
        theirs.close()
        _, (number,), _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=number) as stream:
            yield stream
            stream.shutdown(socket.SHUT_RDWR)
        ours.close()
