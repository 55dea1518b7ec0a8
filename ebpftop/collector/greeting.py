"""The first frames of a stream: everything that the first screen shows, sent while NumPy is being imported."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from ebpftop.collector.machine import hello
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import Catalog

_PAUSE = 0.02  # seconds until `finish` is noticed while the consumer reads nothing


class Greeting:
    """Sends, in a thread, who writes the stream, and the catalog."""

    def __init__(self, stream: socket.socket, catalog: Catalog) -> None:
        self._stream = stream
        self._unsent = memoryview(encode(hello()) + encode(catalog))
        self._finished = False
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        writable = select.poll()
        with contextlib.suppress(OSError):  # a consumer that is gone is noticed later
            writable.register(self._stream, select.POLLOUT)
            while self._unsent and not self._finished:
                if writable.poll(_PAUSE * 1000):
                    self._unsent = self._unsent[self._stream.send(self._unsent, socket.MSG_DONTWAIT) :]

    def finish(self) -> memoryview:
        """Stop. Returns the bytes that the consumer hasn't taken: it may itself be waiting until
        its requests are read.
        """
        self._finished = True
        self._thread.join()
        return self._unsent
