"""The share of a CPU that all programs together may take. Above it, the most expensive probe is detached.

A parameter of type `rate` also limits how often the programs of one probe may run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ebpftop.collector.account import Rate
from ebpftop.frames.messages import ParamInfo, ProbeInfo

WINDOW = 5.0  # seconds
WARNING = 5.0  # percent of one CPU
PERCENT = 25.0
NEAR = 0.8  # of a limit
_NARROWING = frozenset(["pid", "comm", "cgroup", "device", "port", "address", "errno", "syscall", "frequency"])
"""Types of parameters that make a probe look at less."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Percent of one CPU over the last `WINDOW` seconds: all runs together, and the most expensive run.

    estimated: the total including costs while nobody counted; the other fields leave those out.
    """

    together: float
    run: int
    percent: float
    estimated: float


@dataclass(frozen=True, slots=True)
class Limit:
    """The parameter that limits the runs of the programs per second, and its value."""

    name: str
    rate: int

    @classmethod
    def of(cls, params: Iterable[ParamInfo], given: Mapping[str, str]) -> Limit | None:
        """The limit that these parameters of a probe set."""
        for param in params:
            text = given.get(param.name, param.default)
            if param.type == "rate" and text is not None and (rate := int(text, 16 if "x" in text else 10)):
                return cls(param.name, rate)
        return None


class Window:
    """The increase of totals by run in the last `WINDOW` seconds."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}
        self._began: float | None = None
        self._gains: deque[tuple[float, float, dict[int, int]]] = deque()  # from, to, by run

    def look(self, now: float, totals: Mapping[int, int]) -> dict[int, float]:
        """Add these totals at this monotonic second. Returns the increase per second of each run.

        Runs missing from it no longer count. Returns nothing while nothing is known yet.
        """
        began, self._began = self._began, now
        gains = {run: total - self._before[run] for run, total in totals.items() if run in self._before}
        self._before = dict(totals)
        if began is None:
            return {}
        self._gains.append((began, now, gains))
        while self._gains[0][1] <= now - WINDOW:
            self._gains.popleft()
        seconds = max(WINDOW, now - self._gains[0][0])
        return {run: sum(each.get(run, 0) for _, _, each in self._gains) / seconds for run in totals}


class Budget:
    """percent: of one CPU; 0 for no limit."""

    def __init__(self, percent: float) -> None:
        self.percent = percent
        self._spent, self._estimated, self._ran = Window(), Window(), Window()
        self._warned = False

    def look(self, now: float, counted: Mapping[int, int], estimated: Mapping[int, int]) -> Spent | None:
        """Add the cost of each attached run since attaching, in ns, at this monotonic second.

        Runs missing from it no longer count. None while nothing is known yet.
        """
        percents = {run: gained / 1e7 for run, gained in self._spent.look(now, counted).items()}
        about = sum(gained / 1e7 for gained in self._estimated.look(now, estimated).values())
        if not percents:
            return None
        most = max(percents, key=percents.__getitem__)
        return Spent(sum(percents.values()), most, percents[most], about)

    def is_near(self, rates: Mapping[int, Rate], limits: Mapping[int, Limit]) -> bool:
        """Whether runs at these rates come near the budget or a limit. No probe is detached because of an estimate."""
        together = sum(rate.ns for rate in rates.values()) / 1e7
        return 0 < self.percent * NEAR <= together or any(
            rates[run].runs >= limit.rate * NEAR for run, limit in limits.items() if run in rates
        )

    def is_over(self, spent: Spent) -> bool:
        return 0 < self.percent < spent.together

    def reason(self, spent: Spent, probe: ProbeInfo | None, given: Mapping[str, str]) -> str:
        """One line: why the most expensive run, with these parameters, is detached, and how to make it cheaper."""
        params = [param for param in probe.params if param.name not in given] if probe else []
        names = [param.name for param in params if param.type in _NARROWING]
        several = ", ".join(names[:-1])
        listed = " or ".join(part for part in (several, *names[-1:]) if part)
        narrow = f"narrow it with {listed}, or raise --budget" if names else "raise --budget"
        return (
            f"it took {_percent(spent.percent)} of a CPU and all probes together {_percent(spent.together)}, "
            f"but --budget allows {self.percent:g}%: {narrow}"
        )

    def beyond(self, now: float, totals: Mapping[int, int], limits: Mapping[int, Limit]) -> dict[int, str]:
        """Add how often the programs of each run ran. Returns a line for each run that is beyond its limit, saying why
        it is detached.
        """
        rates = self._ran.look(now, totals)
        return {
            run: f"its programs ran {rates[run]:,.0f} times a second, more than its {limit.name} of {limit.rate:,}; "
            f"raise that with -p {limit.name}=N"
            for run, limit in limits.items()
            if rates.get(run, 0) > limit.rate
        }

    def warns(self, spent: Spent) -> bool:
        """True once per rise above the warning level."""
        warned, self._warned = self._warned, spent.estimated >= WARNING
        return self._warned and not warned


def _percent(percent: float) -> str:
    """Rounded, but never to 0, because a budget may be small."""
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%"
