"""States of TCP connections. Source: net/tcp_states.h."""

from __future__ import annotations

_NAMES = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
]


def name(number: int) -> str:
    """`ESTABLISHED`, "" for 0, where there is no connection, else the number."""
    if not number:
        return ""
    return _NAMES[number - 1] if 1 <= number <= len(_NAMES) else str(number)
