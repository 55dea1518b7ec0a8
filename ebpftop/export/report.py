"""The report of an interval of a run, or of the whole run at its end; the formats only write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ebpftop.base.query import words_of
from ebpftop.export.shown import Shown
from ebpftop.export.stack_report import StacksPart, stacks_part
from ebpftop.frames.columns import Array, Labels, Values, equal, take
from ebpftop.frames.messages import ColumnInfo, Losses, Process, RingUse, ViewInfo
from ebpftop.model import readings
from ebpftop.model.dimensions import keys_of
from ebpftop.model.events import Chunk
from ebpftop.model.machines import Gap
from ebpftop.model.own import leaves_out, own_rows
from ebpftop.model.past.span import INTERVAL
from ebpftop.model.readings import CostNow, HistogramsByKey
from ebpftop.model.report_columns import ReportColumn, label_columns, matching, report_columns
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect, Scope
from ebpftop.stats.groups import Groups
from ebpftop.stats.histogram import PERCENTILES, Bounds, Histogram
from ebpftop.stats.slots import LIMIT

_LATEST = Scope(INTERVAL)


@dataclass(frozen=True, slots=True)
class Series:
    """The histogram of one key; `labels` are the key's fields. Buckets are made on demand, because there are many
    keys.
    """

    labels: dict[str, Any]
    count: int
    quantiles: dict[str, Bounds]
    histogram: Callable[[], Histogram]
    own: bool = False  # whether it is about an ebpftop process, and a ranking leaves it out


@dataclass(frozen=True, slots=True)
class HistogramPart:
    """Series by descending count; those without new values are omitted. `labels` names the key's fields, and where its
    processes run; `told` the meaningful ones. shown: the scope, if that isn't simply an interval; the same for other
    parts.
    """

    view: ViewInfo
    labels: list[str]
    series: list[Series]
    whole: Histogram
    told: list[str] = field(default_factory=list)
    shown: Shown | None = None

    @property
    def holds_own(self) -> bool:
        """Whether any row is about ebpftop's own processes, and rankings leave it out."""
        return any(each.own for each in self.series)

    def others(self) -> HistogramPart:
        """The part without the series about ebpftop's own processes."""
        return replace(self, series=[each for each in self.series if not each.own])


@dataclass(frozen=True, slots=True)
class RowsPart:
    """A table, sorted as its view says (rows without new values are omitted), or events in order."""

    view: ViewInfo
    kind: Literal["table", "events"]
    columns: list[ReportColumn]
    count: int
    own: Array = field(default_factory=lambda: np.zeros(0, bool))  # of a table: rows about ebpftop's own processes
    shown: Shown | None = None

    @property
    def holds_own(self) -> bool:
        """Whether any row is about ebpftop's own processes, and rankings leave it out."""
        return bool(self.own.any())

    def others(self) -> RowsPart:
        """The part without the rows about ebpftop's own processes."""
        return self.take(np.flatnonzero(~self.own)) if self.holds_own else self

    def take(self, rows: Array) -> RowsPart:
        """Some of the rows, by their indices."""
        columns = [each._replace(values=[each.values[row] for row in rows.tolist()]) for each in self.columns]
        return replace(self, columns=columns, count=len(rows), own=self.own[rows] if len(self.own) else self.own)


Part = HistogramPart | RowsPart | StacksPart


@dataclass(frozen=True, slots=True)
class Report:
    """Values of views are those gained in the span; losses and the cost's counts are cumulative since attaching.

    final: whether the run is being detached. gaps: when nothing came from hosts that it is from.
    """

    probe: str
    variant: str
    meaning: str
    seq: int
    time_ns: int
    seconds: float
    losses: Losses
    cost: CostNow | None
    final: bool
    parts: list[Part]
    rings: list[RingUse]
    gaps: list[Gap] = field(default_factory=list)


def report(
    run: Run,
    processes: Mapping[int, Process],
    seq: int,
    chunks: Mapping[str, list[Chunk]],
    scope: Scope = _LATEST,
) -> Report:
    """The state of a loaded run. `chunks` are the events to report, by their map."""
    assert run.loaded is not None
    return Report(
        probe=run.probe,
        variant=run.loaded.variant,
        meaning=run.loaded.meaning,
        seq=seq,
        time_ns=run.last.realtime_ns if run.last else 0,
        seconds=readings.interval(run) if scope.wanted == INTERVAL else readings.elapsed(run),
        losses=run.losses,
        cost=readings.cost(run),
        final=run.state in ("detaching", "detached"),
        parts=[view_part(run, view, processes, chunks, scope) for view in run.views],
        rings=[ring for ring in run.costs[-1].rings if ring.size] if run.costs else [],
        gaps=readings.gaps(run, scope.wanted),
    )


def stacks_of(report: Report) -> list[StacksPart]:
    """The report's call stacks."""
    return [part for part in report.parts if isinstance(part, StacksPart)]


def view_part(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], chunks: Mapping[str, list[Chunk]], scope: Scope
) -> Part:
    """The gain of one view in a span, with a row for each of its own. chunks: the events, by the name of their map."""
    if view.show == "histogram":
        return _histogram(run, view, processes, scope)
    if view.show == "table":
        return _table(run, view, processes, scope)
    if view.show == "stacks":
        return stacks_part(run, view, processes, scope)
    return events_part(view, processes, chunks.get(view.map, []), scope.of(run, view).query)


def _histogram(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> HistogramPart:
    whole, keyed = histograms(run, view, scope)
    return histogram_part(run, view, processes, whole, keyed, scope.of(run, view))


def histograms(run: Run, view: ViewInfo, scope: Scope) -> tuple[Histogram, HistogramsByKey | None]:
    """The total of a histogram view, and the histograms by key; None if it isn't stored by key."""
    key = scope.of(run, view).key
    whole = readings.histogram(run, view, key, scope.wanted, scope.selection)
    keyed = readings.histograms_by_key(run, view, scope.wanted, scope.selection) if view.by else None
    if keyed is not None and key and len(keyed):
        held = np.all([equal(keyed.keys[name], value) for name, value in key.items()], axis=0)
        keyed = keyed.take(np.flatnonzero(held))
    return whole, keyed


def histogram_part(
    run: Run,
    view: ViewInfo,
    processes: Mapping[int, Process],
    whole: Histogram,
    keyed: HistogramsByKey | None,
    aspect: Aspect = PLAIN,
) -> HistogramPart:
    """A histogram view's part from its numbers; `keyed` is None if it isn't stored by key."""
    if keyed is None:
        found = {name: bounds for name, q in PERCENTILES.items() if (bounds := whole.quantile(q))}
        return HistogramPart(view, [], [Series({}, whole.count, found, lambda: whole)] if found else [], whole)
    rows = np.arange(len(keyed))
    if aspect.query:
        known = report_columns(view.by_columns, keyed.keys, processes)
        rows = np.flatnonzero(matching(known, len(keyed), words_of(aspect.query)))
    rows = rows[np.argsort(-keyed.counts[rows].astype(np.int64), kind="stable")]
    own = left_out(run, view.by_columns, keyed.keys, len(keyed), processes, aspect)
    return labelled(view, label_columns(view.by_columns, keyed.keys, processes), keyed, rows, own, whole)


def labelled(
    view: ViewInfo,
    labels: list[ReportColumn],
    keyed: HistogramsByKey,
    rows: Array,
    own: Array,
    whole: Histogram,
) -> HistogramPart:
    """A histogram view's part with some of its keys, in this order. own: see `series_of`."""
    told = [label.shown.name for label in labels if not label.is_empty_place]
    return HistogramPart(view, [label.shown.name for label in labels], series_of(labels, keyed, rows, own), whole, told)


def series_of(labels: list[ReportColumn], keyed: HistogramsByKey, rows: Array, own: Array) -> list[Series]:
    """The histograms of some keys, in this order. own: a mask of the keys about ebpftop's own processes."""
    counts, ours = keyed.counts.tolist(), own.tolist()
    quantiles = {name: _bounds(keyed.groups, q) for name, q in PERCENTILES.items()}
    return [
        Series(
            {label.shown.name: label.values[n] for label in labels},
            counts[n],
            {name: found[n] for name, found in quantiles.items()},
            partial(keyed.groups.histogram, n),
            ours[n],
        )
        for n in rows.tolist()
    ]


def left_out(
    run: Run,
    keys: Sequence[ColumnInfo],
    values: Mapping[str, Values],
    count: int,
    processes: Mapping[int, Process],
    aspect: Aspect,
) -> Array:
    """A mask of the rows that rankings leave out."""
    leaves = leaves_out(run.params) and not aspect.own
    return own_rows(keys, values, count, processes) if leaves else np.zeros(count, bool)


def _bounds(groups: Groups, q: float) -> list[Bounds]:
    lo, hi = groups.quantiles(q)
    return [(low, LIMIT if high == LIMIT - 1 else high) for low, high in zip(lo.tolist(), hi.tolist(), strict=True)]


def _table(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> RowsPart:
    table = readings.table(run, view, scope.wanted, scope.selection)
    fields, aspect = {**table.keys, **table.gauges}, scope.of(run, view)
    own = left_out(run, keys_of(view), table.keys, len(table), processes, aspect)
    return filtered(table_part(view, processes, fields, table.gains, table.present, own), aspect)


def table_part(
    view: ViewInfo,
    processes: Mapping[int, Process],
    fields: Mapping[str, Values],
    counters: Mapping[str, Array],
    present: Array,
    own: Array,
) -> RowsPart:
    """A table's part: the rows whose counters gained anything; without counters, the rows that are present. own: a mask
    of the rows that rankings leave out.
    """
    values: dict[str, Values] = {**fields, **counters}
    rows = np.flatnonzero(np.any(list(counters.values()), axis=0)) if counters else np.flatnonzero(present)
    rows = rows[order(view, values, rows)]
    nothing: Values = np.zeros(0, np.int64)
    picked = {column.field: take(values.get(column.field, nothing), rows) for column in view.columns}
    return RowsPart(view, "table", report_columns(view.columns, picked, processes), len(rows), own[rows])


def events_part(view: ViewInfo, processes: Mapping[int, Process], chunks: list[Chunk], query: str = "") -> RowsPart:
    """Events in order; `chunks` holds their columns."""
    nothing = {column.field: np.zeros(0, np.int64) for column in view.columns}
    columns = report_columns(view.columns, nothing, processes)
    for chunk in chunks:
        for column, more in zip(columns, report_columns(view.columns, chunk, processes), strict=True):
            column.values.extend(more.values)
    found = RowsPart(view, "events", columns, len(columns[0].values) if columns else 0)
    return filtered(found, Aspect(query=query))


def filtered(part: RowsPart, aspect: Aspect) -> RowsPart:
    """The rows that match a filter."""
    if not aspect.query:
        return part
    events = part.kind == "events"
    searched = [each for each in part.columns if not (each.shown.info.hidden or (events and each.shown.is_detail))]
    return part.take(np.flatnonzero(matching(searched, part.count, words_of(aspect.query), numbers=events)))


def order(view: ViewInfo, values: Mapping[str, Values], rows: Array) -> Array:
    """The rows by the view's sort column, or its first counter, greatest first; texts from A to Z."""
    by = view.sort or next(iter(view.counters), None)
    column = values.get(by) if by else None
    if column is None:
        return np.arange(len(rows))
    if isinstance(column, Labels):
        return np.argsort(np.array(column.take(rows).texts(), object), kind="stable")
    return np.argsort(-column[rows].astype(np.float64), kind="stable")
