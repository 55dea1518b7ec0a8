"""Root task: have the kernel account program run times for as long as the collector holds the descriptor."""

from __future__ import annotations

import os
import socket

from ebpftop.handover import protocol, transport
from ebpftop.kernel import libbpf


def run(channel: socket.socket) -> None:
    try:
        descriptor = libbpf.enable_stats()
    except OSError as error:
        transport.send(channel, protocol.TaskFailed(error=f"program statistics are unavailable: {error.strerror}"))
        return
    transport.send(channel, protocol.RunTimesOn(), [descriptor])
    os.close(descriptor)
