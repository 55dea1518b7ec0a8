"""How much of a CPU the programs may take together: past that, the probe that takes most is detached."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from ebpftop.frames.messages import ProbeInfo

WINDOW = 5.0  # seconds
WARNING = 5.0  # percent of one CPU
PERCENT = 25.0
_NARROWING = frozenset(
    ["pid", "comm", "cgroup", "device", "port", "address", "errno", "syscall", "frequency", "duration"]
)
"""Types of parameters that make a probe look at less."""


@dataclass(frozen=True, slots=True)
class Spent:
    """In percent of one CPU over the last `WINDOW` seconds: all runs together, and the run that took most."""

    together: float
    run: int
    percent: float


class Budget:
    """percent: of one CPU; 0 for no limit."""

    def __init__(self, percent: float) -> None:
        self.percent = percent
        self._before: dict[int, int] = {}
        self._began: float | None = None
        self._gains: deque[tuple[float, float, dict[int, int]]] = deque()  # from, to, ns by run
        self._warned = False

    def look(self, now: float, totals: Mapping[int, int]) -> Spent | None:
        """Take in what each attached run has cost since attaching, in ns, at this monotonic second.

        Runs that aren't in it don't count any more. None while nothing is known yet.
        """
        began, self._began = self._began, now
        gains = {run: total - self._before[run] for run, total in totals.items() if run in self._before}
        self._before = dict(totals)
        if began is None:
            return None
        self._gains.append((began, now, gains))
        while self._gains[0][1] <= now - WINDOW:
            self._gains.popleft()
        seconds = max(WINDOW, now - self._gains[0][0])
        percents = {run: sum(each.get(run, 0) for _, _, each in self._gains) / seconds / 1e7 for run in totals}
        if not percents:
            return None
        most = max(percents, key=percents.__getitem__)
        return Spent(sum(percents.values()), most, percents[most])

    def is_over(self, spent: Spent) -> bool:
        return 0 < self.percent < spent.together

    def reason(self, spent: Spent, probe: ProbeInfo | None) -> str:
        """Why the run that took most is detached, and what would make it cheaper: one line."""
        names = [param.name for param in probe.params if param.type in _NARROWING] if probe else []
        several = ", ".join(names[:-1])
        listed = " or ".join(part for part in (several, *names[-1:]) if part)
        narrow = f"narrow it with {listed}, or raise --budget" if names else "--budget can be raised"
        return (
            f"it took {_percent(spent.percent)} of a CPU, all probes {_percent(spent.together)}, "
            f"where --budget allows {self.percent:g}%: {narrow}"
        )

    def warns(self, spent: Spent) -> bool:
        """True once, until it falls below the warning again."""
        warned, self._warned = self._warned, spent.together >= WARNING
        return self._warned and not warned


def _percent(percent: float) -> str:
    """Rounded, but never to 0: a budget may be small."""
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%"
