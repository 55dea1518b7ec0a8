"""Which file systems answer. One whose server is gone (NFS, FUSE) holds up whoever opens a file of it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from collections.abc import Callable

_PATIENCE = 1.0  # seconds
_PR_SET_PDEATHSIG = 1
_NO_DISK = b"00:"  # how the numbers of file systems begin that are on no block device


class Answering:
    """Asks each file system once, in a child that is left behind where it hangs; none that is on a disk here."""

    def __init__(self) -> None:
        self._known: dict[bytes, bool] = {}  # by device, as in /proc/PID/maps

    def answers(self, device: bytes, ask: Callable[[], object]) -> bool:
        """Whether `ask`, which opens something there, comes to an end; what it raises or returns is no matter."""
        if not device.startswith(_NO_DISK):
            return True
        if device not in self._known:
            self._known[device] = _ends(ask)
        return self._known[device]

    def is_silent(self, device: bytes) -> bool:
        """Whether it was asked, and did not answer."""
        return not self._known.get(device, True)


def _ends(ask: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))  # nobody waits for their other ends as long as this hangs
            with contextlib.suppress(Exception):
                ask()
        finally:
            os._exit(0)
    ended = select.poll()
    descriptor = os.pidfd_open(child)
    try:
        ended.register(descriptor, select.POLLIN)
        if not ended.poll(_PATIENCE * 1000):
            os.kill(child, signal.SIGKILL)  # which need not end it: nobody waits for that
            return False
    finally:
        os.close(descriptor)
    os.waitpid(child, 0)
    return True
