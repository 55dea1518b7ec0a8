"""Times of day for people."""

from __future__ import annotations

from datetime import datetime


def clock(realtime_ns: float) -> str:
    """`08:33:46.180` in local time; a number that is no valid time is shown as it is."""
    try:
        return datetime.fromtimestamp(realtime_ns / 1e9).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return str(realtime_ns)
