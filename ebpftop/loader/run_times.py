"""Root task: have the kernel account program run times for as long as the collector holds the descriptor."""

from __future__ import annotations

import os
import socket

from ebpftop.handover import protocol, transport
from ebpftop.kernel import libbpf

_SETTING = "/proc/sys/kernel/bpf_stats_enabled"


def run(channel: socket.socket) -> None:
    try:
        descriptor = accounting()
    except OSError as error:
        transport.send(channel, protocol.TaskFailed(error=f"program statistics are unavailable: {error.strerror}"))
        return
    transport.send(channel, protocol.RunTimesOn(), [descriptor])
    os.close(descriptor)


def accounting() -> int:
    """A descriptor while which is open run times are accounted. Raises `OSError`.

    Without CAP_SYS_ADMIN the administrator's setting counts: one of root's could be inherited, but what starts services
    opens only files for them.
    """
    try:
        return libbpf.enable_stats()
    except PermissionError:
        setting = os.open(_SETTING, os.O_RDONLY | os.O_CLOEXEC)
        if os.read(setting, 1) == b"1":  # by the administrator, for everybody
            return setting
        os.close(setting)
        raise
