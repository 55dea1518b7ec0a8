"""How the kernel prefers processes that somebody waits for."""

from __future__ import annotations

import contextlib
import os

AHEAD = 10  # steps of niceness: nine times the weight of others, see sched(7)


def answer_ahead() -> None:
    """Have this process answer keys soon, even where every CPU is busy. Without the right to it, nothing happens."""
    with contextlib.suppress(OSError):
        os.nice(-AHEAD)


def as_parent(process: int) -> None:
    """Give a process that was started here the priority of our parent."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, os.getpriority(os.PRIO_PROCESS, os.getppid()))
