"""The hosts of a stream from several: their states and loads, and when nothing came from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Host, Hosts, HostState
from ebpftop.stats import formatting

_EQUAL = 1_000_000  # ns by which clocks may differ and count as equal
_GAPS = 1000  # that are remembered, the newest


RunName = tuple[str, tuple[tuple[str, str], ...]]  # a probe and its parameters


def run_name(probe: str, params: Mapping[str, str]) -> RunName:
    return probe, tuple(sorted(params.items()))


@dataclass(slots=True)
class Gap:
    """A time in which nothing came from a host, so nothing is known of it (realtime ns). until_ns: None until it is
    back.

    run: the only run without data, if it is just one. why: the reason for that.
    """

    host: str
    since_ns: int
    until_ns: int | None = None
    run: RunName | None = None
    why: str = ""

    def __str__(self) -> str:
        """`nothing from web-2 since 12:03:05`."""
        since = formatting.clock(self.since_ns)[:8]
        until = f" to {formatting.clock(self.until_ns)[:8]}" if self.until_ns is not None else ""
        word = "from" if until else "since"
        why = f": {inert(self.why)}" if self.why else ""
        return f"nothing from {inert(self.host)} {word} {since}{until}{why}"


class Machines:
    """states: of each host, at a moment (realtime ns). loads: the last ones of each, by name. gaps: oldest first,
    always the same list object. history: the number of loads kept.
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
        unended = {(gap.host, gap.run): gap for gap in self.gaps if gap.until_ns is None}
        now = {(gap.host, gap.run): gap for gap in self._now()}
        for key, gap in unended.items():
            if key not in now:
                gap.until_ns = self.at
        self.gaps += [gap for key, gap in now.items() if key not in unended]
        del self.gaps[:-_GAPS]

    def _now(self) -> Iterator[Gap]:
        for each in self.states:
            if each.state != "live":
                yield Gap(each.name, each.heard_ns)
            else:
                for run in each.without:
                    yield Gap(each.name, self.at, None, run_name(run.probe, run.params), run.why)

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


def of_run(gaps: Iterable[Gap], probe: str, params: Mapping[str, str]) -> list[Gap]:
    """The gaps of a run."""
    return [each for each in gaps if each.run is None or each.run == run_name(probe, params)]


def within(gaps: Iterable[Gap], start_ns: int, end_ns: int) -> list[Gap]:
    """The gaps in a span; the numbers don't cover them (realtime ns)."""
    return [each for each in gaps if each.since_ns < end_ns and (each.until_ns is None or each.until_ns > start_ns)]


def state(host: HostState, now: int) -> str:
    """`live`, or `lost, 12 s ago`, the time since the last frame. now: realtime ns."""
    return host.state if host.state in ("live", "connecting") else f"{host.state}, {age(host, now)} ago"


def age(host: HostState, now: int) -> str:
    """Whole seconds since the last frame."""
    seconds = max(0, now - host.heard_ns) // 10**9
    return formatting.duration(seconds * 10**9) if seconds else "0 s"


def clock(host: HostState) -> str:
    """The difference between its clock and ours, as far as it is known."""
    if abs(host.ahead_ns) <= max(host.way_ns, _EQUAL):
        return "same" if host.way_ns else ""
    return f"{'+' if host.ahead_ns > 0 else '−'}{formatting.duration(abs(host.ahead_ns))}"


def words(hosts: Sequence[HostState]) -> str:
    """`3 hosts, 1 lost`."""
    states = [each.state for each in hosts]
    found = [formatting.plural(len(states), "host")]
    found += [f"{states.count(state)} {state}" for state in ("connecting", "late", "lost") if state in states]
    return ", ".join(found)
