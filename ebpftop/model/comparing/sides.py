"""One side of a comparison of a view: rows with their keys, and the gains of each step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.comparing.half import Half
from ebpftop.model.dimensions import Source
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import event_values
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import Span, Wanted
from ebpftop.model.readings import extent, of_past
from ebpftop.model.run import Run
from ebpftop.model.selection import Selection
from ebpftop.stats.change import UNITS

_STEP = 10**9  # ns; how long a step is taken to be where events show none
_SHORTEST = 10**6


class Side(Protocol):
    """rows: their number. others: a mask of those that stand for several. only: a mask of those that count, None for
    all. lasted: s, of each step. span: from the first step's start to the last one's end.
    """

    @property
    def rows(self) -> int: ...

    @property
    def others(self) -> Array: ...

    @property
    def only(self) -> Array | None: ...

    @property
    def lasted(self) -> Array: ...

    @property
    def span(self) -> Span: ...

    def values(self, field: str) -> Values:
        """A key field of all rows."""
        ...

    def cells(self, field: str) -> tuple[Array, Array, Array]:
        """(step, row, gain) of a counter."""
        ...

    def gains(self, field: str) -> Array:
        """The total gain of each row."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class OfPast:
    """The side of a view with a past."""

    past: Past
    only: Array | None
    wanted: Span
    lasted: Array
    span: Span

    @classmethod
    def of(cls, half: Half, view: ViewInfo, selection: Selection) -> OfPast | None:
        """None if no step is known."""
        past = half.run.pasts.get(view.name)
        if past is None:
            return None
        times = past.times(half.span)
        lasted = times["lasted"] / 1e9
        if not lasted.sum() > 0:
            return None
        only = of_past(half.run, view, None, selection)
        return cls(past, only, half.span, lasted, Span(int(times["start"][0]), int(times["end"][-1])))

    @property
    def rows(self) -> int:
        return len(self.past.roster)

    @property
    def others(self) -> Array:
        return self.past.roster.others

    def values(self, field: str) -> Values:
        return self.past.roster.values(field, np.arange(self.rows))

    def cells(self, field: str) -> tuple[Array, Array, Array]:
        return self.past.cells(field, self.wanted)

    def gains(self, field: str) -> Array:
        return self.past.gains(field, self.wanted)


@dataclass(frozen=True, eq=False, slots=True)
class OfEvents:
    """The side of events, counted by their values of a dimension, in steps of one length."""

    key: Values
    step: Array
    row: Array
    lasted: Array
    span: Span
    only: None = None

    @classmethod
    def of(cls, half: Half, span: Span, view: ViewInfo, by: Source, selection: Selection, length: int) -> OfEvents:
        """length: of a step, ns; an event came within that before the sample that brought it."""
        log = _log(half.run, view)
        mine = half.narrowed(selection)
        key, row, number = event_values(view, log, log.within(span), by, half.processes, mine)
        steps = max(1, round((span.end - span.start) / length))
        each = (span.end - span.start) / steps
        step = np.clip(((log.ends(number) - length // 2 - span.start) / each).astype(np.int64), 0, steps - 1)
        return cls(key, step, row, np.full(steps, each / 1e9), span)

    @property
    def rows(self) -> int:
        return len(self.key)

    @property
    def others(self) -> Array:
        return np.zeros(self.rows, bool)

    def values(self, field: str) -> Values:
        return self.key

    def cells(self, field: str) -> tuple[Array, Array, Array]:
        return self.step, self.row, np.ones(len(self.row), np.int64)

    def gains(self, field: str) -> Array:
        return np.bincount(self.row, minlength=self.rows)


def observed(half: Half, view: ViewInfo) -> Span | None:
    """The part of a span that a run's samples cover, and in which all events of a view are kept."""
    run = half.run
    if run.last is None:
        return None
    _, since = run.logged(view.map) or (None, run.began_ns)
    start = max(half.span.start, since)
    end = min(half.span.end, run.last.monotonic_ns)
    return Span(start, end) if start < end else None


def covered(run: Run, view: ViewInfo, wanted: Wanted) -> Span | None:
    """What a view has of a span: whole steps and, for events, since when all are kept. None if it has nothing."""
    found = extent(run, view, wanted)
    if view.show != "events":
        return found.span if found.seconds else None
    span = wanted if isinstance(wanted, Span) else found.span
    return observed(Half(run, span, {}), view) if span is not None else None


def event_sides(a: Half, b: Half, view: ViewInfo, by: Source, selection: Selection) -> tuple[OfEvents, OfEvents] | None:
    """Both spans in steps of one length: that of the samples, or longer if spans are long."""
    spans = observed(a, view), observed(b, view)
    if spans[0] is None or spans[1] is None:
        return None
    lasted = np.concatenate([_log(each.run, view).steps(each.span)[1] for each in (a, b)])
    usual = int(np.median(lasted[lasted > 0])) if np.any(lasted > 0) else _STEP
    longest = max(spans[0].end - spans[0].start, spans[1].end - spans[1].start)
    length = max(_SHORTEST, min(usual, _STEP), longest // UNITS)
    before, after = (
        OfEvents.of(half, span, view, by, selection, length) for half, span in zip((a, b), spans, strict=True) if span
    )
    return before, after


def _log(run: Run, view: ViewInfo) -> EventLog:
    found = run.logged(view.map)
    return found[0] if found else EventLog()


def texts_of(values: Values) -> list[int | str]:
    """As plain values."""
    return [*values.texts()] if isinstance(values, Labels) else [*values.tolist()]
