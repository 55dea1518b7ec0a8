"""Forking, with an error that says which limit is reached."""

from __future__ import annotations

import errno
import os

NO_PROCESS = "no more processes or threads can be started (see 'ulimit -u' and pids.max of the cgroup)"


class NoProcess(OSError):
    """No process can be started."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, NO_PROCESS)


def fork() -> int:
    """Like `os.fork`. Raises `NoProcess`, or another `OSError`."""
    try:
        return os.fork()
    except BlockingIOError:
        raise NoProcess from None
