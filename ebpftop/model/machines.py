"""The hosts of a stream that comes from several: how each is, its loads, and when nothing came from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Host, Hosts, HostState
from ebpftop.stats import formatting

_EQUAL = 1_000_000  # ns by which clocks may differ and count as equal
_GAPS = 1000  # that are remembered, the newest


@dataclass(slots=True)
class Gap:
    """When nothing came from a host, so that nothing is known of it (realtime ns). until_ns: None until it is back."""

    host: str
    since_ns: int
    until_ns: int | None = None

    def __str__(self) -> str:
        """`nothing from web-2 since 12:03:05`."""
        since = formatting.clock(self.since_ns)[:8]
        name = inert(self.host)
        if self.until_ns is None:
            return f"nothing from {name} since {since}"
        return f"nothing from {name} from {since} to {formatting.clock(self.until_ns)[:8]}"


class Machines:
    """states: of each host, at a moment (realtime ns). loads: the last ones of each, by name. gaps: oldest first; the
    list stays the same one. history: loads that are kept.
    """

    def __init__(self, history: int) -> None:
        self.states: Sequence[HostState] = ()
        self.at = 0
        self.loads: dict[str, deque[Host]] = {}
        self.gaps: list[Gap] = []
        self._history = history

    @property
    def several(self) -> bool:
        return len(self.states) > 1

    def take(self, frame: Hosts) -> None:
        self.states, self.at = frame.hosts, frame.realtime_ns
        self.loads = {each.name: self._load(each) for each in self.states}
        unended = {gap.host: gap for gap in self.gaps if gap.until_ns is None}
        for each in self.states:
            gap = unended.get(each.name)
            if gap is not None and each.state == "live":
                gap.until_ns = frame.realtime_ns
            elif gap is None and each.state != "live":
                self.gaps.append(Gap(each.name, each.heard_ns))
        del self.gaps[:-_GAPS]

    def _load(self, host: HostState) -> deque[Host]:
        known = self.loads.get(host.name)
        known = deque(maxlen=self._history) if known is None else known
        if known and host.load is not None and host.load.realtime_ns < known[-1].realtime_ns:
            known.clear()  # its clock was set
        if host.load is not None and (not known or host.load.realtime_ns > known[-1].realtime_ns):
            known.append(host.load)
        return known


def own_percent(loads: Sequence[Host]) -> float | None:
    """Percent of one CPU that the collector and the root side took from the first load to the last; None if unknown."""
    if len(loads) < 2 or loads[0].own_ns is None or loads[-1].own_ns is None:
        return None
    passed = loads[-1].realtime_ns - loads[0].realtime_ns
    return 100 * max(0, loads[-1].own_ns - loads[0].own_ns) / passed if passed > 0 else None


def away(gaps: Iterable[Gap]) -> set[str]:
    """Hosts that aren't back."""
    return {each.host for each in gaps if each.until_ns is None}


def within(gaps: Iterable[Gap], start_ns: int, end_ns: int) -> list[Gap]:
    """Those of a span, of which numbers say nothing then (realtime ns)."""
    return [each for each in gaps if each.since_ns < end_ns and (each.until_ns is None or each.until_ns > start_ns)]


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
