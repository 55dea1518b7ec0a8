"""Root task: have the kernel account program run times for as long as the collector holds the descriptor."""

from __future__ import annotations

import os
import socket

from ebpftop import handover
from ebpftop.kernel import libbpf


def run(channel: socket.socket) -> None:
    try:
        descriptor = libbpf.enable_stats()
    except OSError as error:
        handover.send(channel, handover.TaskFailed(error=f"program statistics are not to be had: {error.strerror}"))
        return
    handover.send(channel, handover.StatisticsOn(), [descriptor])
    os.close(descriptor)
