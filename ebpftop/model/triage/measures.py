"""The measures of triage: for each view the rate of its counter, step by step, and its actors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.messages import Host, Process, ViewInfo
from ebpftop.model.dimensions import NAME, PARENT, PROCESS, Source, is_somebody, keys_of, sources
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import event_values
from ebpftop.model.narrowing import read
from ebpftop.model.own import own_rows
from ebpftop.model.past.span import Span
from ebpftop.model.pressure import stalled
from ebpftop.model.run import Run
from ebpftop.stats.slots import bounds_of

# What a rate means. wait: threads that wait at a time, in vain. idle: the same, but some may have nothing to do.
# trouble: each went wrong. fatal: each is worth telling. failures: each failed with an error. pressure: share of the
# time in which some tasks waited for a resource. work: what was done, good or bad.
Meaning = Literal["wait", "idle", "trouble", "fatal", "failures", "pressure", "work"]
HARM: tuple[Meaning, ...] = ("wait", "idle", "trouble", "fatal", "failures", "pressure")
RESOURCES = {"cpu": "cpu", "memory": "memory", "io": "disk"}  # the category of probes about what pressure is about
SECOND = 1_000_000_000
_GRID, _MOST = 24, 1 << 16  # steps of events, at least and at most
_TRAITS = (NAME, PARENT)  # of processes, by which they are told apart
_PLAIN = (
    None,
    "hex",
    "octal",
    "comm",
    "thread",
    "user",
)  # decoders of what many have in common that have nothing to do


@dataclass(frozen=True, slots=True)
class Actor:
    """The actors of rows in one dimension: codes number the rows, -1 without a value; `values` explains the codes."""

    source: Source
    codes: Array
    values: Sequence[int | str]


@dataclass(frozen=True, eq=False, slots=True)
class Measure:
    """A rate over time. ends: monotonic ns of each step; lasted: ns. step, row, weight: of each cell.

    unit: of a weight: "ns" and "cpu_ns" (a second of them is one thread), "bytes", "count", "percent". counts: the
    number of events or values of each cell. slots: of each cell, for a histogram. actors: of rows.
    """

    meaning: Meaning
    resource: str
    run: Run | None
    view: ViewInfo | None
    title: str
    unit: str
    ends: Array
    lasted: Array
    step: Array
    row: Array
    weight: Array
    counts: Array
    slots: Array
    actors: list[Actor]

    @property
    def weights(self) -> Array:
        """The weight of all rows, per step."""
        return np.bincount(self.step, self.weight, len(self.ends))

    def rate(self, first: int, stop: int, rows: Array | None = None) -> float:
        """The rate per second in some steps, of the rows in a mask."""
        seconds = float(self.lasted[first:stop].sum()) / SECOND
        return self.sum(first, stop, rows) / seconds if seconds else 0.0

    def sum(self, first: int, stop: int, rows: Array | None = None) -> float:
        within = (self.step >= first) & (self.step < stop)
        if rows is not None:
            within &= rows[self.row]
        return float(self.weight[within].sum())


def measures(
    runs: Sequence[Run],
    loads: Mapping[str, Iterable[Host]],
    processes: Mapping[int, Process],
    ahead: int,
    span: Span,
) -> Iterator[Measure]:
    """The measures of all views with a counter, and of each machine, in a span. loads: by machine name. ahead: realtime
    minus monotonic ns.
    """
    for run in runs:
        whole = Span(span.start, min(span.end, run.attached_until or span.end))
        for view in run.views:
            found = None
            if view.show == "events":
                found = _events(run, view, processes, whole)
            elif view.show in ("table", "histogram"):
                found = _past(run, view, processes, whole)
            if found is not None and len(found.ends):
                yield found
    for host, known in loads.items():
        yield from _pressures(
            host, [each for each in known if span.start <= each.realtime_ns - ahead <= span.end], ahead
        )


def meaning_of(view: ViewInfo) -> Meaning:
    if view.tells:
        return view.tells
    failing = view.show == "events" and any(column.decode == "errno" for column in view.columns)
    return "failures" if failing else "work"


def category(run: Run) -> str:
    return run.probe.partition("/")[0]


def _past(run: Run, view: ViewInfo, processes: Mapping[int, Process], span: Span) -> Measure | None:
    past = run.pasts.get(view.name)
    histogram = view.show == "histogram"
    counter = view.count if histogram else view.sort if view.sort in view.counters else next(iter(view.counters), "")
    if past is None or counter not in past.counters:
        return None
    times = past.times(span)
    step, row, gain = past.cells(counter, span)
    rows = np.arange(len(past.roster))
    own = own_rows(keys_of(view), {f: past.roster.column(f) for f in past.roster.fields}, len(rows), processes)
    kept = ~own[row] & (times["lasted"][step] > 0)  # what was there when reading began is of no time
    timed = times["lasted"] > 0
    at = np.cumsum(timed) - 1
    step, row, gain = at[step[kept]], row[kept], gain[kept]
    unit = "count" if histogram else next(column.unit for column in view.columns if column.field == counter)
    weight, slots = gain.astype(np.float64), np.zeros(0, np.int64)
    meaning = meaning_of(view)
    if histogram:
        slots = past.roster.column(view.slot)[row].astype(np.int64)
        if meaning in ("wait", "idle"):
            low, high = (bound.astype(np.float64) for bound in bounds_of(slots))
            weight, unit = weight * (low + high) / 2, view.unit
    values = {field: past.roster.values(field, rows) for field in past.roster.fields}
    return Measure(
        meaning, category(run), run, view, view.title, unit, times["end"][timed], times["lasted"][timed],
        step, row, weight, gain.astype(np.int64), slots, _actors(view, values, past.roster.others, processes),
    )  # fmt: skip


def _actors(
    view: ViewInfo, values: Mapping[str, Values], others: Array, processes: Mapping[int, Process]
) -> list[Actor]:
    found = []
    for source in _sources(view):
        each = read(source, values[source.field], processes)
        codes, known = _numbered(each, process=source.dimension == PROCESS)
        codes[others] = -1
        found.append(Actor(source, codes, known))
    return found


def _sources(view: ViewInfo) -> list[Source]:
    """The dimensions that distinguish rows: processes first, then their names, then the rest."""
    plain = {column.field for column in keys_of(view) if column.decode in _PLAIN}
    found: dict[str, Source] = {}
    for source in sources(view):
        if source.field and source.field not in plain and source.trait in ("", *_TRAITS):
            found.setdefault(source.dimension, source)
    order = {PROCESS: 0, NAME: 1}
    return sorted(found.values(), key=lambda each: order.get(each.dimension, 2))


def _numbered(values: Values, *, process: bool) -> tuple[Array, Sequence[int | str]]:
    """A number for each row, -1 for nobody and for the empty text, and the meaning of the numbers."""
    if isinstance(values, Labels):
        codes, known = values.codes.astype(np.int64), [*values.labels]
        empty = np.array([not label for label in known] or [True])
        return (np.where(empty[codes], -1, codes) if len(codes) else codes), known
    numbers, codes = np.unique(values, return_inverse=True)
    codes = codes.astype(np.int64)
    if process and len(codes):
        somebody = np.array([is_somebody(each) for each in numbers.tolist()])
        codes = np.where(somebody[codes], codes, -1)
    return codes, numbers.tolist()


def _events(run: Run, view: ViewInfo, processes: Mapping[int, Process], span: Span) -> Measure | None:
    """The events on a grid, by their own times."""
    log, last = run.events.get(view.map), run.last
    log = log or EventLog()
    meaning = meaning_of(view)
    first = log.total - log.kept
    began = max(run.began_ns, span.start, log.whole_since if first else 0)
    if last is None or (length := min(last.monotonic_ns, span.end) - began) <= 0:
        return None
    edges = np.linspace(began, began + length, round(length / _step(length)) + 1)
    steps = len(edges) - 1
    clock = next((column.field for column in view.columns if column.decode == "time"), None)
    took = next((c.field for c in view.columns if c.unit == "ns"), None) if meaning in ("wait", "idle") else None
    error = next((c.field for c in view.columns if c.decode == "errno"), None) if meaning == "failures" else None
    who = [column.field for column in view.columns if column.is_process]
    columns = {name: _joined(log, name) for name in (clock, took, error, *who) if name and log.kept}
    numbers = np.arange(first, log.total)
    times = log.ends(numbers).astype(np.float64)
    stamps = columns.get(clock or "")
    if isinstance(stamps, np.ndarray):
        times = stamps.astype(np.float64) - (last.realtime_ns - last.monotonic_ns)
    step = np.searchsorted(edges, times, "left") - 1  # -1: before the span
    weight = np.ones(len(numbers))
    if took is not None and isinstance(values := columns.get(took), np.ndarray):
        weight = values.astype(np.float64)
    kept = (step >= 0) & (step < steps)
    if error is not None:
        kept &= _failed(columns.get(error), len(numbers))
    kept &= ~own_rows(view.columns, columns, len(numbers), processes)
    actors = []
    for source in _sources(view) if log.kept else ():
        found, row, which = event_values(view, log, range(first, log.total), source, processes)
        codes, known = _numbered(found, process=source.dimension == PROCESS)
        of_row = np.full(len(numbers), -1, np.int64)
        of_row[which - first] = codes[row] if len(codes) else -1
        actors.append(Actor(source, of_row, known))
    rows = np.flatnonzero(kept)
    return Measure(
        meaning, category(run), run, view, view.title, "ns" if took else "count",
        edges[1:].astype(np.int64), np.diff(edges), step[rows], rows, weight[rows],
        np.ones(len(rows), np.int64), np.zeros(0, np.int64), actors,
    )  # fmt: skip


def _step(length: int) -> float:
    """The length of a step for this many ns: a second, or less for short spans."""
    return max(min(length, SECOND, max(SECOND / 4, length / _GRID)), length / _MOST)


def _joined(log: EventLog, field: str) -> Values:
    """A column of all kept events."""
    parts = [chunk[field] for chunk in log.since(0)]
    texts = [part.texts() for part in parts if isinstance(part, Labels)]
    if texts:
        labels: dict[str, int] = {}
        codes = np.array([labels.setdefault(text, len(labels)) for each in texts for text in each], np.int64)
        return Labels(codes, [*labels])
    return np.concatenate([part for part in parts if isinstance(part, np.ndarray)])


def _failed(errors: Values | None, count: int) -> Array:
    """A mask of the events with an error."""
    if not isinstance(errors, Labels):
        return np.zeros(count, bool)
    return np.array([bool(text) for text in errors.labels], bool)[errors.codes]


def _pressures(host: str, loads: Sequence[Host], ahead: int) -> Iterator[Measure]:
    times = np.array([each.realtime_ns - ahead for each in loads], np.int64)
    for name, resource in RESOURCES.items():
        shares = [stalled(a.pressure, b.pressure, b.realtime_ns - a.realtime_ns).get(name) for a, b in pairwise(loads)]
        if not shares or None in shares:
            continue
        lasted = np.diff(times)
        steps = np.arange(len(lasted))
        weight = np.array(shares, np.float64) * lasted / SECOND
        yield Measure(
            "pressure", resource, None, None, f"{host} {name} pressure".lstrip(), "percent", times[1:], lasted, steps,
            np.zeros(len(steps), np.int64), weight, np.ones(len(steps), np.int64), np.zeros(0, np.int64), [],
        )  # fmt: skip
