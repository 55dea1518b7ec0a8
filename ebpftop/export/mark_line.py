"""A mark on one line."""

from __future__ import annotations

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Mark
from ebpftop.stats import formatting

_WHENCE = {"person": "", "outside": " (by command)", "trigger": " (trigger)"}


def mark_line(mark: Mark) -> str:
    """`08:33:46.180  mark: deploy 42 (from outside)`."""
    return f"{formatting.clock(mark.realtime_ns)}  mark: {inert(mark.text)}{_WHENCE[mark.origin]}"
