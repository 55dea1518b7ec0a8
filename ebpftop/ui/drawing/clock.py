"""Moments as people read them."""

from __future__ import annotations

from datetime import datetime


def clock(realtime_ns: float) -> str:
    """`08:33:46.180` in local time; a number that is no moment stays a number."""
    try:
        return datetime.fromtimestamp(realtime_ns / 1e9).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return str(realtime_ns)
