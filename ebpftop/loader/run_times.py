"""Root's part of accounting: the kernel accounts program run times as long as a descriptor is open."""

from __future__ import annotations

import errno
import os
import time

from ebpftop.kernel import libbpf

APART = 0.02  # seconds: each start and each end interrupts every CPU a few times, for a microsecond or two
_SETTING = "/proc/sys/kernel/bpf_stats_enabled"


class Accounting:
    """Opens descriptors for processes without the right to do so, but not as often as they please."""

    def __init__(self) -> None:
        self._last = 0.0

    def descriptor(self) -> int:
        """See `accounting`; EAGAIN if one was opened just now. Raises `OSError`, `KernelLacks`."""
        now = time.monotonic()
        if now < self._last + APART:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._last = now
        return accounting()


def accounting() -> int:
    """A descriptor that keeps the accounting of run times on while it is open. Raises `OSError`, `KernelLacks`.

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
