"""One run of a probe, from its frames: its state, last samples, events, losses and cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Values, unpack
from ebpftop.frames.messages import (
    Columns,
    Cost,
    Detached,
    Detaching,
    Events,
    Loaded,
    Loading,
    Losses,
    Rejected,
    Snapshot,
    ViewInfo,
)
from ebpftop.frames.size import size
from ebpftop.frames.stacks import STACK, KnownStacks
from ebpftop.model.events import EventLog
from ebpftop.model.ledger import Ledger
from ebpftop.stats.histogram import Histogram
from ebpftop.stats.slots import SLOTS

if TYPE_CHECKING:
    from ebpftop.model.failure import Failure

State = Literal["loading", "running", "detaching", "detached", "rejected"]

SAMPLE_BYTES = 32 << 20  # of columns kept in one run's ring; the last two samples are kept whatever they hold


@dataclass(frozen=True, slots=True)
class Sample:
    """A snapshot with its columns unpacked: map → field → array or `Labels`, one row a key."""

    seq: int
    realtime_ns: int
    monotonic_ns: int
    boottime_ns: int
    maps: dict[str, dict[str, Values]]
    losses: Losses
    size: int  # bytes of its columns
    gains: dict[object, Interval] = field(default_factory=dict)  # by one key each, those asked for

    def seconds_since(self, earlier: Sample | None) -> float:
        """0 where there is no earlier one."""
        return max(0.0, (self.monotonic_ns - earlier.monotonic_ns) / 1e9) if earlier else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """What one view gained from one sample to the next, over all keys.

    seconds: 0 for the first sample, which counts from attaching. histogram: of a histogram view, else None. sums: of
    the counters of a table or of stacks.
    """

    realtime_ns: int
    seconds: float
    histogram: Histogram | None
    sums: dict[str, int]


@dataclass
class Run:
    """The state of one run. Sequences are oldest first; values in samples and costs count since attaching.

    ledgers and intervals: by the name of the view, none for views of events. events: by the name of the ring buffer.
    stacks: the call stacks behind the numbers in its columns, shared by all runs of a stream.
    """

    id: int
    probe: str
    params: dict[str, str]
    stacks: KnownStacks = field(default_factory=KnownStacks)
    state: State = "loading"
    loading: Loading | None = None
    loaded: Loaded | None = None
    rejected: Rejected | None = None
    request: int = 0  # the number of the request that this answers
    detaching: Detaching | None = None
    detached: Detached | None = None
    losses: Losses = field(default_factory=Losses)
    began_ns: int = 0  # monotonic time of the first sample
    samples: deque[Sample] = field(default_factory=deque)
    costs: deque[Cost] = field(default_factory=deque)
    events: dict[str, EventLog] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    intervals: dict[str, deque[Interval]] = field(default_factory=dict)
    _failure: Failure | None = None

    @property
    def views(self) -> list[ViewInfo]:
        """The views of the variant that was loaded; none before."""
        return self.loaded.views if self.loaded else []

    @property
    def failure(self) -> Failure | None:
        """Why it could not be loaded, explained at the first use."""
        if self.rejected is not None and self._failure is None:
            from ebpftop.model.failure import explain  # two hundred rules, not needed before a load fails

            self._failure = explain(self.probe, self.rejected)
        return self._failure

    @property
    def last(self) -> Sample | None:
        return self.samples[-1] if self.samples else None

    @property
    def previous(self) -> Sample | None:
        """The sample before the last; None when the last one counts from attaching."""
        return self.samples[-2] if len(self.samples) > 1 else None

    def load(self, loaded: Loaded) -> None:
        """The probe is attached. Raises `BadFrame` for two views of one name."""
        if len({view.name for view in loaded.views}) < len(loaded.views):
            raise BadFrame(f"{loaded.probe!r} has two views of one name")
        self.loaded = loaded
        if self.state == "loading":
            self.state = "running"

    def add_sample(self, snapshot: Snapshot, limit: int) -> None:
        """Keep a snapshot; one already seen is ignored. Raises `BadFrame`."""
        if self.samples and snapshot.seq <= self.samples[-1].seq:
            return
        sample = Sample(
            seq=snapshot.seq,
            realtime_ns=snapshot.realtime_ns,
            monotonic_ns=snapshot.monotonic_ns,
            boottime_ns=snapshot.boottime_ns,
            maps={name: self._open(name, columns) for name, columns in snapshot.maps.items()},
            losses=snapshot.losses,
            size=sum(size(columns) for columns in snapshot.maps.values()),
        )
        self.began_ns = self.began_ns or sample.monotonic_ns
        for view in self.views:
            if view.show != "events" and view.map in sample.maps:
                self._account(view, sample, limit)
        self.samples.append(sample)
        self.losses = _worse(self.losses, snapshot.losses)
        total = sum(each.size for each in self.samples)
        while len(self.samples) > limit or (len(self.samples) > 2 and total > SAMPLE_BYTES):
            total -= self.samples.popleft().size

    def settle(self) -> None:
        """Begin an interval in which nothing is gained: the last one has been reported."""
        for ledger in self.ledgers.values():
            ledger.settle()

    def add_events(self, events: Events, limit: int | None) -> None:
        """Keep drained events. Raises `BadFrame`."""
        columns = self._open(events.map, events.columns)
        self.events.setdefault(events.map, EventLog(limit)).add(columns)
        self.losses = _worse(self.losses, events.losses)

    def add_cost(self, cost: Cost, limit: int) -> None:
        if not self.costs or cost.monotonic_ns > self.costs[-1].monotonic_ns:
            self.costs.append(cost)
            while len(self.costs) > limit:
                self.costs.popleft()

    def _account(self, view: ViewInfo, sample: Sample, limit: int) -> None:
        ledger = self.ledgers.get(view.name)
        if ledger is None or view.gauge:  # earlier values of a gauge don't count
            ledger = self.ledgers[view.name] = _ledger(view)
        ledger.update(sample.maps[view.map])
        histogram = None
        if view.show == "histogram":
            histogram = Histogram.of(ledger.numbers(view.slot), ledger.deltas[view.count])
        sums = {name: int(ledger.deltas[name].sum()) for name in ledger.counters}
        recent = self.intervals.setdefault(view.name, deque(maxlen=limit))
        recent.append(Interval(sample.realtime_ns, sample.seconds_since(self.last), histogram, sums))

    def _open(self, name: str, columns: Columns) -> dict[str, Values]:
        opened = unpack(columns)
        for view in self.views:
            if view.map == name:
                _check(view, opened)
        return opened


def _ledger(view: ViewInfo) -> Ledger:
    process = view.process_field
    if view.show == "histogram":
        return Ledger((*view.by, view.slot), (view.count,), process=process, fold=view.slot)
    if view.show == "stacks":
        return Ledger((*view.by, STACK), (view.count,), process=process)
    keys, counters, gauges = (
        [column.field for column in view.columns if column.role == role] for role in ("key", "counter", "gauge")
    )
    return Ledger(keys, counters, gauges, process=process if process in keys else None)


def _check(view: ViewInfo, columns: Mapping[str, Values]) -> None:
    """Raise `BadFrame` unless the columns hold what the view shows, in types it can compute with."""
    numbers = {column.field for column in view.columns if column.role == "counter" or column.is_process}
    fields = {column.field for column in view.columns} | set(view.by)
    if view.show == "histogram":
        fields |= {view.slot, view.count}
        numbers |= {view.slot, view.count}
    if view.show == "stacks":
        fields |= {STACK, view.count}
        numbers |= {STACK, view.count}
    for name in fields:
        values = columns.get(name)
        if values is None:
            raise BadFrame(f"view {view.name!r} shows {name!r}, which map {view.map!r} doesn't hold")
        if name in numbers and not (isinstance(values, np.ndarray) and values.dtype.kind in "ui"):
            raise BadFrame(f"view {view.name!r} computes with {name!r}, which isn't a number")
    if view.show == "histogram":
        slots = columns[view.slot]
        assert isinstance(slots, np.ndarray)
        if len(slots) and not 0 <= slots.min() <= slots.max() < SLOTS:
            raise BadFrame(f"view {view.name!r} has slots from {slots.min()} to {slots.max()}; the last is {SLOTS - 1}")


def _worse(a: Losses, b: Losses) -> Losses:
    """Losses are cumulative; frames of a run may arrive in any order."""
    return Losses(
        lost=max(a.lost, b.lost),
        map_full=max(a.map_full, b.map_full),
        evicted=max(a.evicted, b.evicted),
        missed=max(a.missed, b.missed),
    )
