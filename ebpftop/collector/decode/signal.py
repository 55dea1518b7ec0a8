"""Signals by number; real-time ones as the C library counts them, see signal(7)."""

from __future__ import annotations

import signal


def name(number: int) -> str:
    """`SIGTERM`, `SIGRTMIN+3`, "" for 0, else the number."""
    if not number:
        return ""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
