"""One run of a probe, from its frames: its state, last samples, events, losses and cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Values, unpack
from ebpftop.frames.messages import (
    FIRST,
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
from ebpftop.model.machines import Gap, of_run
from ebpftop.model.moments import Moments
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import Span
from ebpftop.model.past.views import past_of, record
from ebpftop.stats.slots import SLOTS

if TYPE_CHECKING:
    from ebpftop.model.failure import Failure

_LOST = 256  # times of losses; what comes beyond makes the last one longer
_TOGETHER = 5_000_000_000  # ns between losses that count as one time

State = Literal["loading", "running", "detaching", "detached", "rejected"]


@dataclass(frozen=True, slots=True)
class Sample:
    """When a snapshot was taken, on three clocks."""

    seq: int
    realtime_ns: int
    monotonic_ns: int
    boottime_ns: int

    def seconds_since(self, earlier: Sample | None) -> float:
        """0 where there is no earlier one."""
        return max(0.0, (self.monotonic_ns - earlier.monotonic_ns) / 1e9) if earlier else 0.0


@dataclass
class Run:
    """The state of one run. Costs are oldest first, and cumulative since attaching.

    losses: since attaching. lost: when they grew, oldest first. last, previous: the last two samples; `previous` is
    None if the last one is the first. based: whether that one is a base, because the probe was attached earlier.
    ledgers and pasts: by the name of the view, none for views of events. events: by the name of the ring buffer.
    samples: by the name of the view. attached_until: the last sample (monotonic ns) before detaching began, because
    programs end one by one; None before. remembers: whether it has a past. ahead: the run on the whole tape, as far as
    that was read. stacks: the call stacks for the numbers in its columns, shared by all runs of a stream. all_gaps: of
    the hosts of the stream, likewise.
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
    attached_until: int | None = None
    failed: int = 0  # which failure of the stream this is, counted from 1: rejected, or detached though nobody asked
    losses: Losses = field(default_factory=Losses)
    lost: list[Span] = field(default_factory=list)
    last: Sample | None = None
    based: bool = False
    previous: Sample | None = None
    costs: deque[Cost] = field(default_factory=deque)
    events: dict[str, EventLog] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    kept: dict[str, Past] = field(default_factory=dict)
    samples: dict[str, Moments] = field(default_factory=dict)
    remembers: bool = True
    all_gaps: Sequence[Gap] = ()
    ahead: Callable[[], Run | None] = lambda: None
    _began: int = 0  # when the first sample came
    _failure: Failure | None = None

    @property
    def gaps(self) -> list[Gap]:
        """When nothing came from hosts."""
        return of_run(self.all_gaps, self.probe, self.params) if self.all_gaps else []

    @property
    def views(self) -> list[ViewInfo]:
        """The views of the loaded variant; none before it is loaded."""
        return self.loaded.views if self.loaded else []

    @property
    def pasts(self) -> Mapping[str, Past]:
        """The pasts. On a tape they may continue after the last sample. After a jump they include the time before it
        once that was read ahead; until then they begin at the jump.
        """
        return self._longest.kept

    @property
    def moments(self) -> Mapping[str, Moments]:
        """The single samples of views that have them, by the name of the view; on a tape like `pasts`."""
        return self._longest.samples

    @property
    def _longest(self) -> Run:
        """This run, or the one read ahead, if that has got this far."""
        ahead, last = self.ahead(), self.last
        if ahead is None or last is None or ahead.last is None:
            return self
        ends = [ahead.last.monotonic_ns, *(past.end for past in ahead.kept.values())]
        return ahead if all(end and end >= last.monotonic_ns for end in ends) else self

    def logged(self, name: str) -> tuple[EventLog, int] | None:
        """The events of a ring buffer, and since when they are complete; on a tape those read ahead, if they go back
        further.
        """
        logs = [(run.events[name], run._began) for run in (self, self._longest) if name in run.events]
        since = [(log, max(began, log.whole_since)) for log, began in logs]
        return min(since, key=lambda each: each[1], default=None)

    @property
    def began_ns(self) -> int:
        """Monotonic time of the first sample, even if only its past knows it; 0 before it."""
        longest = self._longest
        starts = (int(past.blocks[0].times["start"][0]) for past in longest.kept.values() if past.blocks)
        return min(self._began, longest._began, *starts)

    @property
    def failure(self) -> Failure | None:
        """Why it could not be loaded, explained at the first use."""
        if self.rejected is not None and self._failure is None:
            from ebpftop.model.failure import explain  # two hundred rules, not needed before a load fails

            self._failure = explain(self.probe, self.rejected)
        return self._failure

    @property
    def stopped(self) -> str:
        """Why it was detached, if nobody requested that."""
        return self.detached.reason if self.detached else ""

    def load(self, loaded: Loaded) -> None:
        """The probe is attached. Raises `BadFrame` for two views of one name."""
        if len({view.name for view in loaded.views}) < len(loaded.views):
            raise BadFrame(f"{loaded.probe!r} has two views of one name")
        self.loaded = loaded
        if self.state == "loading":
            self.state = "running"

    def add_sample(self, snapshot: Snapshot) -> None:
        """Account a snapshot; one already seen is ignored. Raises `BadFrame`."""
        if self.last is not None and snapshot.seq <= self.last.seq:
            return
        sample = Sample(snapshot.seq, snapshot.realtime_ns, snapshot.monotonic_ns, snapshot.boottime_ns)
        base = self.last is None and snapshot.seq > FIRST
        self.based |= base
        maps = {name: self._open(name, columns) for name, columns in snapshot.maps.items()}
        self._began = self._began or sample.monotonic_ns
        for view in self.views:
            if view.show != "events" and view.map in maps:
                self._account(view, maps[view.map], sample, base=base)
        for log in self.events.values():
            log.sampled(sample.monotonic_ns)
        self.previous, self.last = self.last, sample
        if base:
            self.losses = _worse(self.losses, snapshot.losses)
        self._lose(snapshot.losses)

    def settle(self) -> None:
        """Begin an interval without gains, because the last one has been reported."""
        for ledger in self.ledgers.values():
            ledger.settle()

    def add_events(self, events: Events, limit: int | None) -> None:
        """Keep drained events. Raises `BadFrame`."""
        columns = self._open(events.map, events.columns)
        view = next((view for view in self.views if view.moments == events.map), None)
        if view is not None:
            if self.remembers:
                self.samples.setdefault(view.name, Moments(view)).add(columns)
            self._lose(events.losses)
            return
        self.events.setdefault(events.map, EventLog(limit)).add(columns, size(events.columns))
        self._lose(events.losses)

    def _lose(self, losses: Losses) -> None:
        """Note what was lost, and when."""
        worse = _worse(self.losses, losses)
        if worse != self.losses and self.last is not None:
            end = self.last.monotonic_ns
            start = self.previous.monotonic_ns if self.previous else end - 1
            if self.lost and (len(self.lost) >= _LOST or start - self.lost[-1].end <= _TOGETHER):
                start = self.lost.pop().start
            self.lost.append(Span(start, end))
        self.losses = worse

    def end(self, detached: Detached) -> None:
        """The probe is detached; events that came after the last sample belong to it."""
        self.detached = detached
        self.state = "detached"
        if self.last is not None:
            for log in self.events.values():
                log.sampled(self.last.monotonic_ns)

    def add_cost(self, cost: Cost, limit: int) -> None:
        if not self.costs or cost.monotonic_ns > self.costs[-1].monotonic_ns:
            self.costs.append(cost)
            while len(self.costs) > limit:
                self.costs.popleft()

    def _account(self, view: ViewInfo, columns: Mapping[str, Values], sample: Sample, *, base: bool) -> None:
        ledger = self.ledgers.get(view.name)
        if ledger is None:
            ledger = self.ledgers[view.name] = _ledger(view)
        (ledger.begin if base else ledger.update)(columns)
        if self.remembers:
            past = self.kept.get(view.name)
            if past is None:
                past = self.kept[view.name] = past_of(view, ledger)
            record(past, ledger, sample.monotonic_ns, sample.realtime_ns)

    def _open(self, name: str, columns: Columns) -> dict[str, Values]:
        opened = unpack(columns)
        for view in self.views:
            if view.map == name:
                check(view, opened)
        return opened


def _ledger(view: ViewInfo) -> Ledger:
    process, thread = view.process_field, view.thread_field
    if view.show == "histogram":
        return Ledger((*view.by, view.slot), (view.count,), process=process, thread=thread, fold=view.slot)
    if view.show == "stacks":
        who = None if view.gauge else process
        return Ledger((*view.by, STACK), (view.count,), process=who, thread=thread, moment=view.gauge)
    keys, counters, gauges = (
        [column.field for column in view.columns if column.role == role] for role in ("key", "counter", "gauge")
    )
    return Ledger(keys, counters, gauges, process=process if process in keys else None, thread=thread, idle=True)


def check(view: ViewInfo, columns: Mapping[str, Values]) -> None:
    """Raise `BadFrame` unless the columns hold what the view shows, in types that can be computed with."""
    numbers = {column.field for column in view.columns if column.role == "counter" or column.is_process}
    numbers |= {view.thread_field} if view.thread_field else set()
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
