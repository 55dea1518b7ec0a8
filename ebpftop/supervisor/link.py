"""The control channel of one child: messages of bounded size in both directions, without ever blocking on the child."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Sequence

from ebpftop.handover import protocol, transport
from ebpftop.handover.mailbox import Control

_MOST_UNSENT = 4096  # datagrams that may wait for the child


class Link:
    """Passes each message to `taken`. If the child sends something that isn't one, it closes and calls `ended`."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        control: Control,
        taken: Callable[[protocol.AnyMessage], None],
        ended: Callable[[], None],
    ) -> None:
        self._selector, self._taken, self._ended = selector, taken, ended
        self._control, self._sender = control, transport.Sender(control.socket)
        self._open, self._writing = True, False
        selector.register(control.mailbox, selectors.EVENT_READ, self._on_message)

    @property
    def is_full(self) -> bool:
        """Whether the child no longer takes anything."""
        return len(self._sender) > _MOST_UNSENT

    @property
    def is_idle(self) -> bool:
        """Whether the child has been sent everything."""
        return not len(self._sender)

    def send(self, message: protocol.Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message and duplicates of its descriptors. If the child can't take it now, it waits."""
        self._flush(lambda: self._sender.send(message, descriptors))

    def close(self) -> None:
        """Close the channel, which ends a child that reads from it."""
        if self._open:
            self._open = False
            self._selector.unregister(self._control.mailbox)
            self._control.mailbox.close()
            self._sender.close()
            self._await()
            self._control.socket.close()

    def _await(self) -> None:
        """Be called when the child takes more, while something waits for it."""
        if bool(len(self._sender)) != self._writing:
            self._writing = not self._writing
            if self._writing:
                self._selector.register(self._control.socket, selectors.EVENT_WRITE, self._on_room)
            else:
                self._selector.unregister(self._control.socket)

    def _on_room(self) -> None:
        self._flush(self._sender.flush)

    def _flush(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError:
            self._sender.close()  # the child is gone
        self._await()

    def _on_message(self) -> None:
        if not self._open:
            return
        try:
            message = self._control.mailbox.take()
        except transport.TransportError:
            self.close()
            self._ended()
            return
        if message is not None:
            self._taken(message)
