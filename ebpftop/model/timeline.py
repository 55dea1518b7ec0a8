"""A view over the whole past in a few columns: the rate of its counter, for a histogram its 99th percentile.

The time to read on depends on what is new, however long the past is. When the columns are full, pairs are merged. For a
tape with an index the columns cover all of it from the start; the unread part is drawn from its outline.
"""

from __future__ import annotations

from math import nan

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ViewInfo
from ebpftop.frames.overview import Gains, Outline
from ebpftop.model.events import EventLog
from ebpftop.model.following import is_known, narrowed, shown_events, shown_of_past
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import FIRST, Span
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.stats.histogram import PERCENTILES, ranks
from ebpftop.stats.slots import SLOTS, bounds_of

SECOND = 1_000_000_000
AT_FIRST = 300 * SECOND  # what the columns reach over until that has passed
_TRACKS = 8  # views whose columns are kept


class Track:
    """values: one per column, NaN if unknown; for a histogram upper bounds in its unit, otherwise a rate per second.

    begin: of the first column, width: of each, in ns. end: how far the past was read, monotonic ns. outline: of the
    tape, with this view's line.
    """

    def __init__(
        self,
        view: ViewInfo,
        begin: int,
        columns: int,
        selection: Selection = EVERYTHING,
        outline: tuple[Outline, Gains | None] | None = None,
        aspect: Aspect = PLAIN,
    ) -> None:
        self.view, self.begin, self.selection, self.aspect = view, begin, selection, aspect
        self._coarse = np.full(columns, nan)
        self._slack = 0  # ns that the last sample may lie beyond the last column: a tape's clocks differ a little
        if outline is None:
            self.width = max(SECOND, -(-AT_FIRST // max(1, columns) // SECOND) * SECOND)
        else:
            whole, line = outline
            self.width = max(1, -(-(whole.end - begin) // max(1, columns)))
            self._slack = self.width
            if line is not None and not selection and aspect == PLAIN:  # an index knows only the whole
                self._coarse = _coarse(whole, line, self.width, columns)
        self.source: Past | EventLog | None = None  # what was read
        self.end = FIRST
        self.values = np.full(columns, nan)
        self._gains = np.zeros(columns, np.int64)
        self._lasted = np.zeros(columns, np.int64)
        self._slots = np.zeros((columns, SLOTS), np.int64) if view.show == "histogram" else None

    @property
    def made(self) -> tuple[int, int, Selection, Aspect]:
        """The source that it was made from."""
        return len(self.values), self.begin, self.selection, self.aspect

    def column(self, moment: int) -> int:
        """The column of a moment, which includes its end but not its start."""
        return min(len(self.values) - 1, max(0, (moment - 1 - self.begin) // self.width))

    def read(self, run: Run, now: int) -> None:
        """Add the steps until `now`, the last sample of all views."""
        while len(self.values) > 1 and now > self.begin + self.width * len(self.values) + self._slack:
            self._double()
        self.source = source_of(run, self.view)
        span = Span(self.end, now)
        rows = self._rows(run)
        ends, lasted, gains = self._steps(run, span, rows)
        if not len(ends):
            return
        at = np.clip((ends - 1 - self.begin) // self.width, 0, len(self.values) - 1)
        known = lasted > 0  # the first step counts from attaching
        np.add.at(self._gains, at[known], gains[known])
        np.add.at(self._lasted, at, lasted)
        if self._slots is not None:
            past = run.pasts[self.view.name]
            step, place, gain = _of(rows, *past.cells(self.view.count, span))
            np.add.at(self._slots, (at[step], past.roster.column(self.view.slot)[place]), gain)
        self.end = int(ends[-1])
        self._value(int(at[0]))

    def _rows(self, run: Run) -> Array | None:
        """A mask of the shown rows of the past; None if all are shown, and for events."""
        return shown_of_past(run, self.view, self.aspect, self.selection) if self.view.name in run.pasts else None

    def _steps(self, run: Run, span: Span, rows: Array | None) -> tuple[Array, Array, Array]:
        """(end, length in ns, gain) of each."""
        past, counter = self.source, counter_of(self.view)
        if isinstance(past, EventLog):
            return self._event_steps(past, span)
        if past is None or counter not in past.counters:
            return _NOTHING
        times = past.times(span)
        if rows is None:
            return times["end"], times["lasted"], past.sums(counter, span)
        step, _, gain = _of(rows, *past.cells(counter, span))
        gains = np.zeros(len(times), np.int64)
        np.add.at(gains, step, gain)
        return times["end"], times["lasted"], gains

    def _event_steps(self, log: EventLog, span: Span) -> tuple[Array, Array, Array]:
        """Like `_steps`; for dropped events it is unknown which would be shown."""
        ends, lasted, came = log.steps(span)
        if not self.aspect.query and len(self.selection.missing(self.view)) == len(self.selection.choices):
            return ends, lasted, came
        shown = log.within(span)
        edges = shown.stop - came[::-1].cumsum()[::-1]
        numbers = shown_events(self.view, log, shown, self.aspect, self.selection)
        gains = np.diff(np.searchsorted(numbers, np.append(edges, shown.stop)))
        return ends, np.where(edges < log.total - log.kept, 0, lasted), gains

    def _value(self, first: int) -> None:
        """Compute the values of the columns from `first` on."""
        with np.errstate(divide="ignore", invalid="ignore"):
            self.values[first:] = self._gains[first:] * SECOND / self._lasted[first:]
        if self._slots is not None:
            self.values[first:] = nan
            counts = self._slots[first:]
            totals = counts.sum(axis=1)
            some = np.flatnonzero(totals)
            rank = ranks(totals[some], PERCENTILES["p99"]).astype(np.int64)
            slots = (np.cumsum(counts[some], axis=1) < rank[:, None]).sum(axis=1)
            self.values[first + some] = bounds_of(slots)[1].astype(np.float64)

    def _double(self) -> None:
        self._gains, self._lasted = _paired(self._gains), _paired(self._lasted)
        if self._slots is not None:
            self._slots = _paired(self._slots)
        self._coarse[:] = nan  # a tape that reaches beyond its index
        self.width *= 2
        self._value(0)

    def shown(self) -> list[float]:
        """The values. A step that spans several columns has its value in each. Unread steps have the outline's."""
        covered = np.flatnonzero(self._lasted)
        if not len(covered):
            return list(self._coarse.tolist())
        first, last = int(covered[0]), int(covered[-1])
        read = self.values[first : last + 1].tolist()
        for at in range(last - first - 1, 0, -1):
            if not self._lasted[first + at]:
                read[at] = read[at + 1]
        return [*self._coarse[:first].tolist(), *read, *self._coarse[last + 1 :].tolist()]


def _of(rows: Array | None, step: Array, place: Array, gain: Array) -> tuple[Array, Array, Array]:
    """The cells of these rows."""
    if rows is None:
        return step, place, gain
    mine = rows[place]
    return step[mine], place[mine], gain[mine]


_NONE = np.zeros(0, np.int64)
_NOTHING = _NONE, _NONE, _NONE


def _paired(columns: Array) -> Array:
    """Merge pairs; the rest is zero."""
    halves = np.zeros_like(columns)
    even, odd = columns[::2], columns[1::2]
    halves[: len(even)] = even
    halves[: len(odd)] += odd
    return halves


def _coarse(outline: Outline, line: Gains, width: int, columns: int) -> Array:
    """The values of columns `width` ns long according to an index: each step's gains spread evenly over it."""
    whole = outline.end - outline.begin
    steps = np.minimum((line.first + np.arange(len(line.gains) + 1)) * outline.step_ns, whole)
    edges = np.clip(np.arange(columns + 1) * width, steps[0], steps[-1])
    lasted = np.diff(edges)

    def spread(gains: Array) -> Array:
        return np.diff(np.interp(edges, steps, np.concatenate(([0], np.cumsum(gains)))))

    values = np.full(columns, nan)
    known = lasted > 0
    if not len(line.powers):
        values[known] = spread(line.gains)[known] * SECOND / lasted[known]
        return values
    counts = np.cumsum([spread(cells) for cells in line.cells], axis=0)
    some = np.flatnonzero(known & (counts[-1] > 0))
    at = (counts[:, some] < counts[-1, some] * PERCENTILES["p99"]).sum(axis=0)
    values[some] = bounds_of(line.powers[at].astype(np.int64) * 8 + 7)[1].astype(np.float64)
    return values


def counter_of(view: ViewInfo) -> str:
    """The main counter of a view."""
    if view.show != "table":
        return view.count
    return view.sort if view.sort in view.counters else next(iter(view.counters), "")


def source_of(run: Run, view: ViewInfo) -> Past | EventLog | None:
    """The source of a view's steps. On a tape it changes once the time before a jump was read."""
    if view.show != "events":
        return run.pasts.get(view.name)
    logged = run.logged(view.map)
    return logged[0] if logged else None


class Tracks:
    """The tracks of the views shown last. outline: of the played tape."""

    def __init__(self, outline: Outline | None = None) -> None:
        self.outline = outline
        self._kept: dict[tuple[int, str], Track] = {}

    def read(
        self,
        run: Run,
        view: ViewInfo,
        columns: int,
        begin: int,
        now: int,
        selection: Selection = EVERYTHING,
        aspect: Aspect = PLAIN,
    ) -> Track:
        """The view's columns until `now`, according to its aspect."""
        aspect = narrowed(view, aspect) if is_known(view, aspect) else PLAIN
        key = (run.id, view.name)
        track = self._kept.pop(key, None)
        made = (columns, begin, selection, aspect)
        if track is None or track.made != made or track.end > now or track.source is not source_of(run, view):
            counter = "" if view.show == "events" else counter_of(view)
            whole = self.outline
            outline = (whole, whole.of(run.id, view.name, counter)) if whole else None
            track = Track(view, begin, columns, selection, outline, aspect)
        self._kept[key] = track
        if len(self._kept) > _TRACKS:
            del self._kept[next(iter(self._kept))]
        track.read(run, now)
        return track
