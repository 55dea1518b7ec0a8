"""The end of a terminal or of a pipe's reader: noticed without reading or writing, and the signals that tell of it."""

from __future__ import annotations

import os
import select
import signal
import stat
from collections.abc import Iterable


class Hangup:
    """Readable, for a selector, once one of these descriptors has no other side any more.

    EPOLLHUP and EPOLLERR are reported without being asked for, see epoll_ctl(2).
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._epoll = select.epoll()
        for descriptor in descriptors:
            self._epoll.register(descriptor, 0)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it happens; False if it doesn't within these seconds."""
        return bool(self._epoll.poll(seconds))


def terminals() -> list[int]:
    """Those of the standard streams that are a terminal."""
    return [number for number in (0, 1, 2) if os.isatty(number)]


def output() -> list[int]:
    """Standard output, if it is a pipe or a socket."""
    mode = os.fstat(1).st_mode
    return [1] if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else []


def is_ignored() -> bool:
    """Whether whoever started this process wants it to outlive the terminal, see nohup(1)."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def ending_signals() -> list[signal.Signals]:
    """The signals that end a command."""
    return [signal.SIGINT, signal.SIGTERM, *([] if is_ignored() else [signal.SIGHUP])]
