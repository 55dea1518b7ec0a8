"""Computes pressure stall information for a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ebpftop.frames.messages import Host, Pressure

RESOURCES = ("cpu", "memory", "io")
SHORT = {"memory": "mem"}
STALLS = {
    "cpu": (25.0, 75.0),
    "memory": (1.0, 10.0),
    "io": (10.0, 50.0),
}  # percent of time: much and very much from there


def stalled(before: Mapping[str, Pressure], after: Mapping[str, Pressure], passed_ns: int) -> dict[str, float]:
    """Percent of the time in which some tasks waited, by resource; empty if unknown or no time has passed."""
    if passed_ns <= 0:
        return {}
    return {
        name: min(100.0, 100 * max(0, after[name].some_ns - before[name].some_ns) / passed_ns)
        for name in RESOURCES
        if name in before and name in after
    }


def lately(loads: Sequence[Host]) -> dict[str, float]:
    """The same for a machine, from its first load to its last."""
    if not loads:
        return {}
    first, last = loads[0], loads[-1]
    return stalled(first.pressure, last.pressure, last.realtime_ns - first.realtime_ns)
