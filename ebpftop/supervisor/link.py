"""The control channel of one child: messages of bounded size in both directions, without ever blocking on the child."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Sequence

from ebpftop.handover import protocol, transport

_MOST_UNSENT = 4096  # datagrams that may wait for the child
_LARGEST = 16 << 20  # bytes of a child's message


class Link:
    """Passes each message to `taken`, and calls `ended` once when the child closes its end or sends something that
    isn't a message.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        control: socket.socket,
        taken: Callable[[protocol.AnyMessage], None],
        ended: Callable[[], None],
    ) -> None:
        self._selector, self._taken, self._ended = selector, taken, ended
        self._sender = transport.Sender(control)
        self._receiver = transport.Receiver(control, most=1, largest=_LARGEST)
        self._open = True
        selector.register(control, selectors.EVENT_READ, self._on_event)

    @property
    def is_full(self) -> bool:
        """Whether the child no longer takes anything."""
        return len(self._sender) > _MOST_UNSENT

    def send(self, message: protocol.Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message and duplicates of its descriptors. If the child can't take it now, it waits."""
        with contextlib.suppress(OSError):  # it is gone; its end is on its way to us
            self._sender.send(message, descriptors)
        self._await()

    def close(self) -> None:
        """Close the channel, which ends a child that reads from it."""
        if self._open:
            self._open = False
            self._selector.unregister(self._receiver.socket)
            self._sender.close()
            self._receiver.close()

    def _await(self) -> None:
        if self._open:
            events = selectors.EVENT_READ | selectors.EVENT_WRITE * bool(len(self._sender))
            self._selector.modify(self._receiver.socket, events, self._on_event)

    def _on_event(self) -> None:
        with contextlib.suppress(OSError):
            self._sender.flush()
        self._await()
        try:
            received = self._receiver.receive()
        except BlockingIOError:
            return  # not a whole message yet
        except (transport.TransportError, OSError):
            received = None
        if received is None:
            self.close()
            self._ended()
            return
        message, descriptors = received
        transport.close_all(descriptors)
        self._taken(message)
