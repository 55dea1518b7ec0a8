"""Signals by number; real-time ones as the C library counts them, see signal(7)."""

from __future__ import annotations

import signal

_ORIGINS = {0: "kill", -1: "sigqueue", -2: "timer", -3: "mqueue", -4: "aio", -5: "sigio", -6: "tkill", -7: "kernel"}
_RESULTS = ["", "ignored", "already pending", "lost: queue is full", "sent without details"]


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


def origin(code: int) -> str:
    """What made a signal, from its si_code: a call (`kill`), or `kernel`. Source: asm-generic/siginfo.h."""
    return _ORIGINS.get(code, "kernel" if code > 0 else str(code))


def result(number: int) -> str:
    """What became of a signal, "" where it was delivered. Source: TRACE_SIGNAL_* in trace/events/signal.h."""
    return _RESULTS[number] if 0 <= number < len(_RESULTS) else str(number)
