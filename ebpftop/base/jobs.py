"""Job control: which processes stop together."""

from __future__ import annotations

import contextlib
import os
import signal

NOTICED = 1.0  # seconds until the supervisor has surely noticed that its consumer stopped


def continue_parent() -> None:
    """Continue the supervisor. It stops with its consumer, but a SIGCONT to the consumer alone doesn't continue it.
    Within its own session, every process may send this one signal, see kill(2).
    """
    with contextlib.suppress(OSError):
        os.kill(os.getppid(), signal.SIGCONT)
