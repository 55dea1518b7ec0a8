"""One run on several hosts: turns what each of them sends into the frames of one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from msgspec import structs

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Labels, unpack
from ebpftop.frames.messages import (
    FIRST,
    AnyFrame,
    Cost,
    Detached,
    Detaching,
    Events,
    Load,
    Loaded,
    Loading,
    Losses,
    Notice,
    ProgramCost,
    Refused,
    Rejected,
    RingUse,
    Snapshot,
    Without,
)
from ebpftop.frames.messages.base import FEW, SOME
from ebpftop.hosts.joining import (
    Rows,
    added,
    count_of,
    host_field,
    joined,
    summed,
    with_column,
    with_host,
    without_rows,
)
from ebpftop.hosts.notices import shortened
from ebpftop.model.run import check

_NO_LOSSES = Losses()
_NO_TIME = 1_000_000  # ns from one snapshot of ours to the next where no host has sent anything new
_ON_ITS_WAY = 20_000_000_000  # ns, at most, from a reading to its arrival: ssh gives up after 15 s of silence
_MOST = 1 << 50  # of all counts of a map of one host: sums of many hosts stay numbers that a session computes with

State = Literal["asked", "loading", "running", "failed", "ended"]
OfRun = Loading | Loaded | Rejected | Refused | Snapshot | Events | Cost | Detaching | Detached


@dataclass
class Part:
    """The run on one host. maps, losses, cost: the last ones it sent. at: when it read them, monotonic ns. fresh: they
    arrived after our last snapshot. why: why it failed or ended there.
    """

    state: State = "asked"
    at: int = 0
    maps: dict[str, Rows] = field(default_factory=dict)
    losses: Losses = _NO_LOSSES
    cost: Cost | None = None
    fresh: bool = False
    why: str = ""

    @property
    def alive(self) -> bool:
        return self.state in ("asked", "loading", "running")


class Spread:
    """number: of the run in our stream. load: the request. parts: by host. several: whether rows name hosts. over: it
    has ended, or failed everywhere.
    """

    def __init__(self, number: int, load: Load, *, several: bool) -> None:
        self.number, self.load, self.several = number, load, several
        self.parts: dict[str, Part] = {}
        self.loaded: Loaded | None = None
        self.detaching = False
        self.over = False
        self._field = ""
        self._maps: set[str] = set()  # that views show
        self._seq = 0
        self._at = self._cost_at = 0  # monotonic ns, of the last ones
        self._shapes: dict[str, dict[str, np.dtype[Any] | None]] = {}  # of each map: the types of its columns
        self._none: dict[str, Rows] = {}  # each map without rows
        self._failed: list[tuple[str, Rejected | Refused]] = []  # before anything was loaded
        self._lost = Losses()  # on connections that are gone
        self._spent: dict[str, ProgramCost] = {}  # the same

    @property
    def attached(self) -> bool:
        return self.loaded is not None and not self.over

    def is_due(self, waited: set[str]) -> bool:
        """Whether a snapshot can be made now: each of these hosts with the run has sent its own."""
        running = [part for name, part in self.parts.items() if part.state == "running" and name in waited]
        return any(part.fresh for part in self.parts.values()) and all(part.fresh for part in running)

    def take(self, host: str, frame: OfRun) -> Iterator[AnyFrame]:
        """Handle a frame of one host; returns our frames. Raises `BadFrame`."""
        part = self.parts.get(host)
        if part is None or self.over:
            return
        match frame:
            case Loading() if part.alive:
                part.state = "loading"
                if self.loaded is None:
                    yield structs.replace(frame, run=self.number, request=self.load.request)
            case Loaded():
                yield from self._load(host, part, frame)
            case Rejected() | Refused():
                part.state, part.why = "failed", shortened(frame.error)
                yield from self._fail(host, frame)
            case Snapshot() if part.state in ("running", "ended") and self.loaded is not None:
                opened = {name: unpack(columns) for name, columns in frame.maps.items()}
                for name, rows in opened.items():
                    self._check(name, rows)
                if any(not self._is_alike(name, rows) for name, rows in opened.items()):
                    part.maps = {}
                    yield self._leave_out(
                        host,
                        part,
                        "its maps have other columns than the other hosts' maps, so its numbers are left out",
                    )
                    return
                part.maps = {name: self._rows(host, rows) for name, rows in opened.items()}
                self._none |= {name: without_rows(rows) for name, rows in part.maps.items()}
                part.losses, part.fresh = frame.losses, True
                part.at = _read_at(frame.monotonic_ns, part.at)
            case Events() if part.state == "running" and frame.map in self._maps:
                part.losses = frame.losses
                rows = unpack(frame.columns)
                self._check(frame.map, rows)
                yield structs.replace(
                    frame, run=self.number, columns=joined([self._rows(host, rows)]), losses=self._losses()
                )
            case Cost():
                part.cost = structs.replace(
                    frame, monotonic_ns=_read_at(frame.monotonic_ns, part.cost.monotonic_ns if part.cost else 0)
                )
            case Detaching() if self.detaching or not self.several:
                yield structs.replace(frame, run=self.number)
            case Detached():
                part.state, part.why = "ended", shortened(frame.reason)
                yield from self._end(host, frame.reason)

    def _check(self, name: str, rows: Rows) -> None:
        """Raise `BadFrame` unless these are what the views of the map show, in types and sizes that can be added up."""
        assert self.loaded is not None
        for view in self.loaded.views:
            if view.map == name:
                check(view, rows)
                for field in {*view.counters, *([view.count] if view.show in ("histogram", "stacks") else [])}:
                    values = rows[field]
                    if not isinstance(values, np.ndarray) or not len(values):
                        continue
                    if values.min() < 0 or values.sum(dtype=np.float64) > _MOST:
                        raise BadFrame(f"{field!r} holds impossible counts")

    def _is_alike(self, name: str, rows: Rows) -> bool:
        """Whether rows have the same columns as those of other hosts. If there are no rows, their types don't count."""
        shape = {field: None if isinstance(values, Labels) else values.dtype for field, values in rows.items()}
        if not count_of(rows):
            return name not in self._shapes or self._shapes[name].keys() == shape.keys()
        return self._shapes.setdefault(name, shape) == shape

    def _rows(self, host: str, rows: Rows) -> Rows:
        return with_column(rows, self._field, host) if self.several else rows

    def _load(self, host: str, part: Part, frame: Loaded) -> Iterator[AnyFrame]:
        if len({view.name for view in frame.views}) < len(frame.views):
            raise BadFrame(f"{frame.probe!r} has two views of one name")
        part.state = "running"
        if self.loaded is None:
            self.loaded = frame
            self._field = host_field(frame.views)
            views = [with_host(view, self._field) for view in frame.views] if self.several else frame.views
            self._maps = {name for view in views for name in (view.map, view.moments) if name}
            yield structs.replace(frame, run=self.number, request=self.load.request, views=views)
            for other, failed in self._failed:
                yield self._notice(other, failed.error, "error")
            self._failed = []
        elif frame.views != self.loaded.views:
            yield self._leave_out(host, part, "it has another version of this probe, so its numbers are left out")
        elif (frame.variant, frame.meaning) != (self.loaded.variant, self.loaded.meaning):
            text = f"it uses the variant {frame.variant} ({frame.meaning}), not {self.loaded.variant}"
            yield self._notice(host, f"{text} ({self.loaded.meaning})", "warning")

    def _leave_out(self, host: str, part: Part, why: str) -> Notice:
        part.state, part.why = "failed", why
        return self._notice(host, why, "error")

    def without(self, host: str) -> Without | None:
        """Why a host has no part in it, although others do."""
        part = self.parts.get(host)
        if part is None or not part.why or self.loaded is None or self.over:
            return None
        return Without(probe=self.loaded.probe, params=self.loaded.params, why=part.why)

    def _fail(self, host: str, frame: Rejected | Refused) -> Iterator[AnyFrame]:
        if self.loaded is not None:
            yield self._notice(host, frame.error, "error")
            yield from self._settle("")
            return
        self._failed.append((host, frame))
        if any(part.alive for part in self.parts.values()):
            return
        *others, (last, outcome) = self._failed
        for other, failed in others:
            yield self._notice(other, failed.error, "error")
        self.over = True
        error = f"{last}: {outcome.error}" if self.several else outcome.error
        if isinstance(outcome, Rejected):
            yield structs.replace(outcome, run=self.number, request=self.load.request, error=error)
        else:
            yield Refused(request=self.load.request, error=error)

    def _end(self, host: str, reason: str) -> Iterator[AnyFrame]:
        if reason and any(part.state == "running" for part in self.parts.values()):
            yield self._notice(host, f"detached, {reason}", "error")
            reason = ""
        yield from self._settle(f"{host}: {reason}" if reason and self.several else reason)

    def _settle(self, reason: str) -> Iterator[AnyFrame]:
        """End the run if no host has it any more; a disconnected host has it again when it comes back."""
        if not any(part.alive for part in self.parts.values()) and (self.parts or self.detaching):
            yield from self.snapshot()
            self.over = True
            yield Detached(run=self.number, reason=reason)

    def gone(self, host: str) -> Iterator[AnyFrame]:
        """The connection has ended, and with it the run there. Its rows are removed: a host that comes back counts from
        0.
        """
        part = self.parts.pop(host, None)
        if part is None or self.over:
            return
        self._lost = summed([self._lost, part.losses])
        for program in part.cost.programs if part.cost else ():
            self._spent[program.name] = _sum(self._spent.get(program.name), program)
        if self.attached:
            yield from self.snapshot()
        if self.detaching:
            yield from self._settle("")

    def end(self) -> Iterator[AnyFrame]:
        """Detaching was requested; there may be no host left to do it."""
        self.detaching = True
        yield from self._settle("")

    def overdue(self) -> Iterator[AnyFrame]:
        """Hosts that were to detach long ago are waited for no longer; what they counted stays."""
        for host, part in self.parts.items():
            if part.alive:
                part.state = "ended"
                yield self._notice(host, "it doesn't say that the probe is detached", "error")
        yield from self._settle("")

    def _notice(self, host: str, text: str, level: Literal["warning", "error"]) -> Notice:
        return Notice(level=level, text=f"{host}: {self.load.probe}: {text}")

    def snapshot(self) -> Iterator[AnyFrame]:
        """All rows of all hosts now, and the cost of the programs. Raises `BadFrame`."""
        if self.loaded is None:
            return
        now = self._time()
        for part in self.parts.values():
            part.fresh = False
        maps = {}
        for name, none in self._none.items():
            parts = [part.maps[name] for part in self.parts.values() if name in part.maps]
            maps[name] = joined(parts or [none])
        self._seq += 1
        asleep = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        yield Snapshot(
            run=self.number,
            seq=FIRST - 1 + self._seq,
            realtime_ns=now + time.time_ns() - time.monotonic_ns(),
            monotonic_ns=now,
            boottime_ns=now + asleep,
            maps=maps,
            losses=self._losses(),
        )
        costs = [part.cost for part in self.parts.values() if part.cost is not None]
        if costs and (at := max(cost.monotonic_ns for cost in costs)) > self._cost_at:
            self._cost_at = at
            yield self._cost(costs, at)

    def _time(self) -> int:
        """The time at which the newest values were read. Without new values no time has passed, so rates stay true.
        Until the first values it is the current time.
        """
        newest = max((part.at for part in self.parts.values() if part.fresh), default=0)
        self._at = max(newest, self._at + _NO_TIME) if newest or self._at else time.monotonic_ns()
        return self._at

    def _losses(self) -> Losses:
        return summed([self._lost, *(part.losses for part in self.parts.values())])

    def _cost(self, costs: list[Cost], at: int) -> Cost:
        programs = dict(self._spent)
        rings: dict[str, RingUse] = {}
        for cost in costs:
            for program in cost.programs:
                programs[program.name] = _sum(programs.get(program.name), program)
            for ring in cost.rings:
                known = rings.get(ring.map, ring)
                rings[ring.map] = structs.replace(known, most=max(known.most, ring.most))
        return Cost(
            run=self.number,
            monotonic_ns=at,
            accounted=all(cost.accounted for cost in costs),
            estimated=any(cost.estimated for cost in costs),
            programs=[*programs.values()][: FEW.max_length],
            rings=[*rings.values()][: SOME.max_length],
        )


def _read_at(claimed: int, before: int) -> int:
    """When a host read what has just arrived. A claim that can't be true counts as now: one host can't move the time of
    all, nor make its own rates wrong. before: when it read the previous one.
    """
    now = time.monotonic_ns()
    return claimed if max(before, now - _ON_ITS_WAY) < claimed <= now else now


def _sum(known: ProgramCost | None, more: ProgramCost) -> ProgramCost:
    if known is None:
        return more
    return structs.replace(
        known,
        run_count=added(known.run_count, more.run_count),
        run_time_ns=added(known.run_time_ns, more.run_time_ns),
        attachment_ns=max(known.attachment_ns, more.attachment_ns),
    )
