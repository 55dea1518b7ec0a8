"""The first frames of a stream: all that the first screen shows, sent before NumPy is imported."""

from __future__ import annotations

import contextlib
import socket
import threading

from ebpftop.collector.machine import hello
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import Catalog


def greet(stream: socket.socket, catalog: Catalog) -> threading.Thread:
    """Send who writes the stream, and the catalog; both have been sent when the thread has ended. A consumer that is
    only starting reads slowly, and one that is gone is noticed later.
    """

    def send() -> None:
        with contextlib.suppress(OSError):
            stream.sendall(encode(hello()) + encode(catalog))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread
