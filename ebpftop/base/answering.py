"""Finds file systems that don't answer. One whose server is gone (NFS, FUSE) blocks whoever opens a file on it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

from ebpftop.base import forking

_PATIENCE = 1.0  # seconds
_PR_SET_PDEATHSIG = 1
_NO_DISK = b"00:"  # how the numbers of file systems begin that are on no block device
_SERVED = (b"9p", b"afs", b"autofs", b"ceph", b"cifs", b"fuse.", b"fuseblk", b"lustre", b"nfs", b"smb", b"virtiofs")


def path_answers(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether opening this path ends, if only with an error. A child tries it, but only if a file system is mounted
    that depends on a server.
    """
    with contextlib.suppress(OSError):
        kinds = {fields[2] for line in mounts.read_bytes().splitlines() if len(fields := line.split(b" ")) > 2}
        if b"fuse" in kinds or any(kind.startswith(_SERVED) for kind in kinds):
            return _ends(lambda: os.pread(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1, 0))
    return True


class Answering:
    """Asks each file system once, in a child that is left behind if it hangs. File systems on a local disk aren't
    asked.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, bool] = {}  # by device, as in /proc/PID/maps

    def answers(self, device: bytes, ask: Callable[[], object]) -> bool:
        """Whether `ask`, which opens something there, ends, if only with an error."""
        if not device.startswith(_NO_DISK):
            return True
        if device not in self._known:
            self._known[device] = _ends(ask)
        return self._known[device]

    def is_silent(self, device: bytes) -> bool:
        """Whether it was asked and didn't answer."""
        return not self._known.get(device, True)


def _ends(ask: Callable[[], object]) -> bool:
    child = forking.fork()
    if child == 0:
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))  # so that nobody waits for their other ends while this hangs
            with contextlib.suppress(Exception):
                ask()
        finally:
            os._exit(0)
    ended = select.poll()
    descriptor = os.pidfd_open(child)
    try:
        ended.register(descriptor, select.POLLIN)
        if not ended.poll(_PATIENCE * 1000):
            os.kill(child, signal.SIGKILL)  # it may not end even so: nobody waits for it
            return False
    finally:
        os.close(descriptor)
    os.waitpid(child, 0)
    return True
