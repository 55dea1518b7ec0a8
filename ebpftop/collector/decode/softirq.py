"""Soft interrupts by vector, named as /proc/softirqs names them. Source: linux/interrupt.h."""

from __future__ import annotations

_NAMES = ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"]


def name(number: int) -> str:
    """`NET_RX`, or the number."""
    return _NAMES[number] if 0 <= number < len(_NAMES) else str(number)
