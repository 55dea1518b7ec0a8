"""Root task: makes the kernel report executable mappings to whoever holds the descriptors."""

from __future__ import annotations

import socket

from ebpftop.handover import protocol, transport
from ebpftop.kernel import memory_events


def run(channel: socket.socket) -> None:
    """Answer with `MemoryEventsOpened`, or `TaskFailed`."""
    try:
        descriptors = memory_events.open_all()
    except OSError as error:
        why = error.strerror or str(error)
        text = f"short-lived processes may lack function names: their mappings can't be recorded ({why})"
        transport.send(channel, protocol.TaskFailed(error=text))
        return
    transport.send(channel, protocol.MemoryEventsOpened(), descriptors)
    transport.close_all(descriptors)
