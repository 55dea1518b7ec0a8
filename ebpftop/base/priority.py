"""Scheduling priority for processes that somebody waits for."""

from __future__ import annotations

import contextlib
import os

AHEAD = 10  # steps of niceness: nine times the weight of others, see sched(7)


def answer_ahead() -> None:
    """Let this process respond to keys quickly, even if every CPU is busy. Does nothing without the permission."""
    with contextlib.suppress(OSError):
        os.nice(-AHEAD)


def as_parent(process: int) -> None:
    """Give a process that we started the priority of our parent."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, os.getpriority(os.PRIO_PROCESS, os.getppid()))
