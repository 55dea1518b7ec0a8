"""Decides which measures stand out: raised against the rest of the same recording, or constantly at a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Process
from ebpftop.model.dimensions import NAME, PARENT, PROCESS
from ebpftop.model.pressure import STALLS
from ebpftop.model.triage.measures import RESOURCES, SECOND, Actor, Measure
from ebpftop.stats.histogram import Bounds, Histogram
from ebpftop.stats.onset import raised

LEVEL = 0.05  # how often anything stands out where nothing does, of all measures together
TIMES = 2.0  # as much as before, at least
STEADY = 0.8  # of the steps, in which something is there "all the time"
MOST = 0.5  # of a rise: who has so much of it is named
NEARLY_ALL = 0.8  # of it: what it has in common is told
_END = 0.05  # of the steps, at the end: what lasts until then lasts to the end
_UNKNOWN = 10.0
_CAP = 1000.0  # times as much says no more


@dataclass(frozen=True, slots=True)
class Who:
    """dimension: "process", "name" or another subject of rows. process: if it is one. share: of the rise, 0 to 1.
    count: the number of processes with that name, 1 for a process.
    """

    dimension: str
    value: str
    share: float
    process: Process | None = None
    count: int = 1


Quantiles = dict[str, tuple[Bounds | None, Bounds | None]]


@dataclass(frozen=True, slots=True)
class Machine:
    """The basis for judging measures. cpus: their number."""

    cpus: int
    processes: Mapping[int, Process]


@dataclass(frozen=True, eq=False, slots=True)
class Sign:
    """A measure that stands out in the steps from `first` to before `stop`. now, before: its rates there and elsewhere;
    before is None if it was constantly so. chance: the probability of such a rise if there was none; None likewise.
    common: the trait that nearly all of it shares, (title, value). quantiles: "p50" and "p99" of a histogram, now and
    before. size: the factor by which all of it, over the whole recording, exceeds what is worth reporting.
    """

    measure: Measure
    first: int
    stop: int
    now: float
    before: float | None
    chance: float | None
    who: Who | None
    common: list[tuple[str, str]]
    quantiles: Quantiles
    size: float

    @property
    def ratio(self) -> float:
        """The factor of the rise, at most 1000; 10 if unknown because it was constant."""
        if self.before is None:
            return _UNKNOWN
        floor = max(self.before, self.now / _CAP, 1e-12)
        return max(1.0, self.now / floor)

    @property
    def weight(self) -> float:
        """The rank of a sign: the orders of magnitude of its rise, and of its size above what is worth reporting."""
        return math.log10(self.ratio) + min(2.0, math.log10(max(1.0, self.size)))

    @property
    def began_ns(self) -> int:
        """Monotonic."""
        return int(self.measure.ends[self.first] - self.measure.lasted[self.first])

    @property
    def ended_ns(self) -> int | None:
        """Monotonic; None if it lasts to the end."""
        steps = len(self.measure.ends)
        return int(self.measure.ends[self.stop - 1]) if steps - self.stop > max(1, _END * steps) else None


def worth(measure: Measure, cpus: int) -> float:
    """The smallest rate that is worth reporting after a rise."""
    match measure.meaning, measure.unit:
        case "pressure", _:
            return _stall(measure)[0]
        case _, "ns":
            return 0.1 * SECOND  # a tenth of one thread's time
        case _, "cpu_ns":
            return 0.25 * cpus * SECOND
        case _, "bytes":
            return float(1 << 20)
        case "trouble", _:
            return 1.0
        case "fatal", _:
            return 0.01
    return 10.0


def at_limit(measure: Measure, cpus: int) -> float | None:
    """The rate that stands out even if it is constant; None if no rate does."""
    match measure.meaning, measure.unit:
        case "pressure", _:
            return _stall(measure)[1]
        case "wait", "ns":
            return 1.0 * SECOND  # somebody waits at any time
        case "trouble", _:
            return 10.0
        case "failures", _:
            return 100.0  # a program that starts looks for dozens of files in vain
        case "work", "cpu_ns":
            return 0.5 * cpus * SECOND
        case "work", "count":
            return 100.0 if measure.view is not None and measure.view.show == "table" else None
    return None


def _stall(measure: Measure) -> tuple[float, float]:
    return next(STALLS[name] for name, resource in RESOURCES.items() if resource == measure.resource)


def judged(measure: Measure, level: float, machine: Machine) -> Sign | None:
    """The sign of a measure, if it stands out."""
    steps = len(measure.ends)
    if measure.meaning == "fatal":
        return _fatal(measure, machine)
    found = raised(measure.weights, measure.lasted.astype(np.float64))
    if found is not None and found.chance <= level:
        now = measure.rate(found.first, found.stop)
        rest = float(measure.lasted.sum() - measure.lasted[found.first : found.stop].sum()) / SECOND
        before = max(0.0, measure.sum(0, steps) - measure.sum(found.first, found.stop)) / rest if rest else 0.0
        possible = measure.unit != "cpu_ns" or now <= 1.1 * machine.cpus * SECOND  # else a map was read late
        if possible and now >= max(worth(measure, machine.cpus), TIMES * before):
            return _sign(measure, (found.first, found.stop), now, before, found.chance, machine)
    limit, whole = at_limit(measure, machine.cpus), measure.rate(0, steps)
    if limit is None or whole < limit:
        return None
    there = measure.weights / (measure.lasted / SECOND) >= limit / TIMES
    if np.count_nonzero(there) < STEADY * steps:
        return None
    sign = _sign(measure, (0, steps), whole, None, None, machine)
    scattered = measure.meaning == "failures" and sign.who is None  # many programs look for files that aren't there
    return None if scattered else sign


def _fatal(measure: Measure, machine: Machine) -> Sign | None:
    """The sign from the first event to the last: no rate of these is normal."""
    there = np.flatnonzero(measure.weights)
    if not len(there):
        return None
    steps = (int(there[0]), int(there[-1]) + 1)
    return _sign(measure, steps, measure.rate(*steps), 0.0, 0.0, machine)


Steps = tuple[int, int]  # from the first to before the second


def _sign(
    measure: Measure, steps: Steps, now: float, before: float | None, chance: float | None, machine: Machine
) -> Sign:
    who, common = _whose(measure, steps, machine.processes)
    size = now * (steps[1] - steps[0]) / len(measure.ends) / worth(measure, machine.cpus)
    return Sign(measure, *steps, now, before, chance, who, common, _quantiles(measure, *steps), size)


def _whose(
    measure: Measure, steps: Steps, processes: Mapping[int, Process]
) -> tuple[Who | None, list[tuple[str, str]]]:
    """The one with most of the rise, and the trait that nearly all of it shares."""
    who: Who | None = None
    common: list[tuple[str, str]] = []
    for actor in measure.actors:
        rise = _rise(measure, actor, steps)
        whole = float(np.maximum(rise, 0).sum())
        most = int(rise.argmax())
        if whole <= 0 or most == len(actor.values):  # nobody is known to have most of it
            continue
        share, value = float(rise[most]) / whole, actor.values[most]
        if actor.source.dimension not in (PROCESS, NAME):
            told = actor.source.dimension != PARENT or (who is not None and who.process is None)
            if told and share >= NEARLY_ALL and str(value):
                common.append((actor.source.title, str(value)))
        elif who is None and share >= MOST:
            who = _process(int(value), share, processes) if actor.source.dimension == PROCESS else None
            who = who or Who(NAME, str(value), share, None, _processes(measure, actor, most, steps))
    return who, common


def _process(identity: int, share: float, processes: Mapping[int, Process]) -> Who | None:
    process = processes.get(identity)
    return Who(PROCESS, process.comm, share, process) if process is not None else None


def _processes(measure: Measure, names: Actor, code: int, steps: Steps) -> int:
    """The number of processes with a name that have any of it."""
    within = (measure.step >= steps[0]) & (measure.step < steps[1])
    rows = measure.row[within & (names.codes[measure.row] == code)]
    processes = (actor for actor in measure.actors if actor.source.dimension == PROCESS)
    return next((len(np.unique(actor.codes[rows])) for actor in processes), 1)


def _rise(measure: Measure, actor: Actor, steps: Steps) -> Array:
    """The excess per second of each value over the rest; the last one is for rows without a value."""
    values = len(actor.values)
    code = actor.codes[measure.row]
    code = np.where(code < 0, values, code)
    within = (measure.step >= steps[0]) & (measure.step < steps[1])
    seconds = float(measure.lasted[steps[0] : steps[1]].sum()) / SECOND
    rest = float(measure.lasted.sum()) / SECOND - seconds
    inside = np.bincount(code[within], measure.weight[within], values + 1) / max(seconds, 1e-9)
    outside = np.bincount(code[~within], measure.weight[~within], values + 1) / max(rest, 1e-9)
    return np.asarray(inside - outside)


def _quantiles(measure: Measure, first: int, stop: int) -> Quantiles:
    if not len(measure.slots):
        return {}
    within = (measure.step >= first) & (measure.step < stop)
    parts = [Histogram.of(measure.slots[mask], measure.counts[mask]) for mask in (within, ~within)]
    return {name: (parts[0].quantile(q), parts[1].quantile(q)) for name, q in (("p50", 0.5), ("p99", 0.99))}
