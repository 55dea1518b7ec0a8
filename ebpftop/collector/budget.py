"""How much of a CPU the programs may take together: past that, the probe that takes most is detached.

And how often those of one probe may run, where a parameter of type `rate` limits that.
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
    """In percent of one CPU over the last `WINDOW` seconds: all runs together, and the run that took most.

    estimated: all together with what they took while nobody counted; the others leave that out.
    """

    together: float
    run: int
    percent: float
    estimated: float


@dataclass(frozen=True, slots=True)
class Limit:
    """The parameter that limits how often a second the programs may run, and its value."""

    name: str
    rate: int

    @classmethod
    def of(cls, params: Iterable[ParamInfo], given: Mapping[str, str]) -> Limit | None:
        """As these parameters are given to a probe."""
        for param in params:
            text = given.get(param.name, param.default)
            if param.type == "rate" and text is not None and (rate := int(text, 16 if "x" in text else 10)):
                return cls(param.name, rate)
        return None


class Window:
    """What totals by run gained in the last `WINDOW` seconds."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}
        self._began: float | None = None
        self._gains: deque[tuple[float, float, dict[int, int]]] = deque()  # from, to, by run

    def look(self, now: float, totals: Mapping[int, int]) -> dict[int, float]:
        """Take in these totals at this monotonic second; what each run gained a second.

        Runs that aren't in it don't count any more. Empty while nothing is known yet.
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
        """Take in what each attached run has cost since attaching, in ns, at this monotonic second.

        Runs that aren't in it don't count any more. None while nothing is known yet.
        """
        percents = {run: gained / 1e7 for run, gained in self._spent.look(now, counted).items()}
        about = sum(gained / 1e7 for gained in self._estimated.look(now, estimated).values())
        if not percents:
            return None
        most = max(percents, key=percents.__getitem__)
        return Spent(sum(percents.values()), most, percents[most], about)

    def is_near(self, rates: Mapping[int, Rate], limits: Mapping[int, Limit]) -> bool:
        """Whether runs at these rates come near the budget or a limit: no probe is detached for an estimate."""
        together = sum(rate.ns for rate in rates.values()) / 1e7
        return 0 < self.percent * NEAR <= together or any(
            rates[run].runs >= limit.rate * NEAR for run, limit in limits.items() if run in rates
        )

    def is_over(self, spent: Spent) -> bool:
        return 0 < self.percent < spent.together

    def reason(self, spent: Spent, probe: ProbeInfo | None, given: Mapping[str, str]) -> str:
        """Why the run that took most, with these parameters, is detached, and what would make it cheaper: one line."""
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
        """Take in how often each run's programs ran; why those beyond their limit are detached, a line each."""
        rates = self._ran.look(now, totals)
        return {
            run: f"its programs ran {rates[run]:,.0f} times a second, more than its {limit.name} of {limit.rate:,}"
            for run, limit in limits.items()
            if rates.get(run, 0) > limit.rate
        }

    def warns(self, spent: Spent) -> bool:
        """True once, until it falls below the warning again."""
        warned, self._warned = self._warned, spent.estimated >= WARNING
        return self._warned and not warned


def _percent(percent: float) -> str:
    """Rounded, but never to 0: a budget may be small."""
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%"
