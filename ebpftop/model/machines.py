"""The hosts of a stream that comes from several, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.frames.messages import HostState
from ebpftop.stats import formatting

_EQUAL = 1_000_000  # ns by which clocks may differ and count as equal


def state(host: HostState, now: int) -> str:
    """`live`, or `lost, 12 s ago`: when something came last. now: realtime ns."""
    return host.state if host.state in ("live", "connecting") else f"{host.state}, {age(host, now)} ago"


def age(host: HostState, now: int) -> str:
    """Since the last frame, in whole seconds."""
    return formatting.duration(max(0, now - host.heard_ns) // 10**9 * 10**9)


def clock(host: HostState) -> str:
    """By how much its clock differs from ours, as far as that is known."""
    if abs(host.ahead_ns) <= max(host.way_ns, _EQUAL):
        return "same" if host.way_ns else ""
    return f"{'+' if host.ahead_ns > 0 else '−'}{formatting.duration(abs(host.ahead_ns))}"


def words(hosts: Sequence[HostState]) -> str:
    """`3 hosts, 1 lost`."""
    states = [each.state for each in hosts]
    found = [formatting.plural(len(states), "host")]
    found += [f"{states.count(state)} {state}" for state in ("connecting", "late", "lost") if state in states]
    return ", ".join(found)
