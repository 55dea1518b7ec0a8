"""Job control: who stops with whom."""

from __future__ import annotations

import contextlib
import os
import signal

NOTICED = 1.0  # seconds by which the supervisor has noticed that its consumer stopped


def continue_parent() -> None:
    """The supervisor stops with its consumer; whoever continued the consumer alone did not continue the supervisor.
    In its own session, every process may send this one signal, see kill(2).
    """
    with contextlib.suppress(OSError):
        os.kill(os.getppid(), signal.SIGCONT)
