"""Detects the end of a terminal or of a pipe's reader without reading or writing, and names the signals that
report it.
"""

from __future__ import annotations

import os
import select
import signal
import stat
from collections.abc import Iterable


class Hangup:
    """Readable, for a selector, once one of these descriptors has lost its other side.

    EPOLLHUP and EPOLLERR are reported without being requested, see epoll_ctl(2).
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._epoll = select.epoll()
        for descriptor in descriptors:
            self._epoll.register(descriptor, 0)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until the other side is gone; False if that doesn't happen within these seconds."""
        return bool(self._epoll.poll(seconds))


def terminals() -> list[int]:
    """The standard streams that are terminals."""
    return [number for number in (0, 1, 2) if os.isatty(number)]


def output() -> list[int]:
    """Standard output, if it is a pipe or a socket."""
    mode = os.fstat(1).st_mode
    return [1] if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else []


def is_ignored() -> bool:
    """Whether the parent wants this process to outlive the terminal, see nohup(1)."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def ending_signals() -> list[signal.Signals]:
    """The signals that end a command."""
    return [signal.SIGINT, signal.SIGTERM, *([] if is_ignored() else [signal.SIGHUP])]
