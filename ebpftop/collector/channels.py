"""The channels on which root tasks report, by run number."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable

from ebpftop.handover import protocol, transport

Report = Callable[[int, protocol.AnyMessage, list[int]], None]
"""(run, message, its descriptors, which are the report's to close)."""


class Channels:
    """Reads reports of tasks as they arrive. `broken` gets the channel of an incomplete message, and the reason."""

    def __init__(self, selector: selectors.BaseSelector, report: Report, broken: Callable[[int, str], None]) -> None:
        self._selector, self._report, self._broken = selector, report, broken
        self._open: dict[int, transport.Receiver] = {}

    def open(self, number: int, descriptor: int) -> None:
        """Read a task's channel from now on. It replaces an earlier channel with the same number, which has reported
        everything.
        """
        self._close(number)
        channel = socket.socket(fileno=descriptor)
        channel.setblocking(False)
        self._open[number] = transport.Receiver(channel)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self.read(number))

    def read(self, number: int) -> None:
        """Read everything that a task has reported so far; nothing if its channel is gone."""
        while channel := self._open.get(number):
            received = None
            try:
                received = channel.receive()
            except BlockingIOError:
                return
            except transport.TransportError as error:
                self._broken(number, str(error))
            except OSError:
                pass
            if received is None:
                self._close(number)
                return
            self._report(number, *received)

    def _close(self, number: int) -> None:
        channel = self._open.pop(number, None)
        if channel is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(channel.socket)
            channel.close()
