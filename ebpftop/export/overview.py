"""A view over time in a bounded number of columns, each of one or more whole steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.following import is_known, shown_events, shown_of_past
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.run import Run
from ebpftop.model.scope import WHOLE, Scope
from ebpftop.model.stacks import samples
from ebpftop.stats.histogram import Histogram

COLUMNS = 120
SECOND = 1_000_000_000
_SHORTEST = 5_000_000  # ns of a column of single samples


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """starts, ends: monotonic ns of each column. seconds: observed time; less than the column's length if there is a
    gap. counts: gained in the column, int64. histograms: of a histogram view, one a column, else none. steps: the
    number of steps in all columns together. alone: whether it is so short that it needs an axis of its own.
    """

    starts: Array
    ends: Array
    seconds: Array
    counts: Array
    histograms: list[Histogram]
    steps: int
    alone: bool = False

    def __len__(self) -> int:
        return len(self.ends)

    def rates(self) -> Array:
        """Rates per second; NaN if no time was observed."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.seconds > 0, self.counts / self.seconds, np.nan)


def overview(
    run: Run, view: ViewInfo, scope: Scope = WHOLE, span: Span = ALL, columns: int = COLUMNS
) -> Overview | None:
    """The gain of the counter of a view's shown rows in a span. The counter is a histogram's or a stack's count, or the
    column by which a table is sorted, or its first counter; a slice counts its single samples. None for a view without
    a counter, without a past, or without known steps.
    """
    aspect = scope.of(run, view)
    if aspect.slice is not None:
        return _samples(run, view, scope, columns)
    if not is_known(view, aspect):
        return None
    if aspect.since is not None:
        span = Span(aspect.since, max(aspect.since, span.end))
    if view.show == "events":
        return _events(run, view, scope, span, columns)
    past = run.pasts.get(view.name)
    counter = counted(view)
    if past is None or counter not in past.counters:
        return None
    times = past.times(span)
    if not len(times):
        return None
    first, last = _grouped(times["start"], times["end"], columns)
    column = np.repeat(np.arange(len(first)), last - first + 1)
    mask = shown_of_past(run, view, aspect, scope.selection)
    histograms = _histograms(past, view, span, column, mask) if view.show == "histogram" else []
    return Overview(
        starts=times["start"][first],
        ends=times["end"][last],
        seconds=np.add.reduceat(times["lasted"], first) / 1e9,
        counts=np.add.reduceat(_sums(past, counter, span, len(times), mask), first),
        histograms=histograms,
        steps=len(times),
    )


def _sums(past: Past, counter: str, span: Span, steps: int, mask: Array | None) -> Array:
    """The gain of the rows in a mask, int64 a step."""
    if mask is None:
        return past.sums(counter, span)
    step, place, gain = past.cells(counter, span)
    found = np.zeros(steps, np.int64)
    np.add.at(found, step, np.where(mask[place], gain, 0))
    return found


def counted(view: ViewInfo) -> str:
    """The counter that represents a view over time; "" if it has none."""
    if view.show in ("histogram", "stacks"):
        return view.count
    return view.sort if view.sort in view.counters else next(iter(view.counters), "")


def _events(run: Run, view: ViewInfo, scope: Scope, span: Span, columns: int) -> Overview | None:
    """An overview by the events' own times; None if they have none."""
    log = run.events.get(view.map)
    clock = next((column.field for column in view.columns if column.decode == "time"), None)
    if log is None or clock is None or run.last is None:
        return None
    ahead = run.last.realtime_ns - run.last.monotonic_ns
    begin, end = max(span.start, run.began_ns), min(span.end, run.last.monotonic_ns)
    shown = shown_events(view, log, range(log.total), scope.of(run, view), scope.selection)
    times, number = [], log.total - log.kept
    for chunk in log.since(0):
        if isinstance(values := chunk[clock], np.ndarray):
            first, stop = np.searchsorted(shown, (number, number + len(values)))
            times.append(values[shown[first:stop] - number].astype(np.int64) - ahead)
        number += len(values)
    if end - begin < SECOND or not times:
        return None
    columns = int(min(columns, (end - begin) // SECOND))
    edges = np.linspace(begin, end, columns + 1).astype(np.int64)
    place = np.searchsorted(edges, np.concatenate(times), "left") - 1
    counts = np.bincount(place[(place >= 0) & (place < columns)], minlength=columns)
    return Overview(edges[:-1], edges[1:], np.diff(edges) / 1e9, counts, [], columns)


def _samples(run: Run, view: ViewInfo, scope: Scope, columns: int) -> Overview | None:
    """An overview of the single samples of a slice."""
    aspect = scope.of(run, view)
    assert aspect.slice is not None
    span = aspect.slice.span
    columns = max(1, min(columns, (span.end - span.start) // _SHORTEST))
    edges = np.linspace(span.start, span.end, columns + 1).astype(np.int64)
    times = samples(run, view, span, aspect.slice.cpu, scope.selection, aspect)["time"]
    place = np.searchsorted(edges, times, "right") - 1
    counts = np.bincount(place, minlength=columns)
    return Overview(edges[:-1], edges[1:], np.diff(edges) / 1e9, counts, [], columns, alone=True)


def _grouped(starts: Array, ends: Array, columns: int) -> tuple[Array, Array]:
    """(first, last) step of each column: the steps that end in the same part of the time. A first step without length,
    which contains the gain while attaching, belongs to the next.
    """
    begin, end = int(starts[0]), int(ends[-1])
    width = max(1, -(-(end - begin) // columns))
    place = np.minimum((ends - begin - 1) // width, columns - 1)
    if len(place) > 1 and starts[0] == ends[0]:
        place[0] = place[1]
    first = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    return first, np.append(first[1:], len(place)) - 1


def _histograms(past: Past, view: ViewInfo, span: Span, column: Array, mask: Array | None) -> list[Histogram]:
    step, place, gain = past.cells(view.count, span)
    if mask is not None:
        step, place, gain = (each[mask[place]] for each in (step, place, gain))
    slots = past.roster.column(view.slot)[place]
    edges = np.searchsorted(column[step], np.arange(int(column[-1]) + 2)).tolist()
    return [Histogram.of(slots[first:stop], gain[first:stop]) for first, stop in pairwise(edges)]
