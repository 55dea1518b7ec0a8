"""The report of an interval of a run, or of the whole run at its end; the formats only write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from ebpftop.export.report_columns import ReportColumn, label_columns, report_columns
from ebpftop.export.stack_report import StacksPart, stacks_part
from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import Losses, Process, RingUse, ViewInfo
from ebpftop.model import readings
from ebpftop.model.events import Chunk
from ebpftop.model.own import leaves_out, own_rows
from ebpftop.model.past.span import INTERVAL, Wanted
from ebpftop.model.readings import CostNow, HistogramsByKey
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.stats.groups import Groups
from ebpftop.stats.histogram import PERCENTILES, Bounds, Histogram
from ebpftop.stats.slots import LIMIT


@dataclass(frozen=True, slots=True)
class Series:
    """The histogram of one key; `labels` are the key's fields. Buckets are made on demand: keys are many."""

    labels: dict[str, Any]
    count: int
    quantiles: dict[str, Bounds]
    histogram: Callable[[], Histogram]
    own: bool = False  # whether it is about an ebpftop process, and a ranking leaves it out


@dataclass(frozen=True, slots=True)
class HistogramPart:
    """Series by descending count; those without new values are omitted. `labels` names the key's fields, and where its
    processes run; `told` those that say something.
    """

    view: ViewInfo
    labels: list[str]
    series: list[Series]
    whole: Histogram
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowsPart:
    """A table, sorted as its view says (rows without new values are omitted), or events in order."""

    view: ViewInfo
    kind: Literal["table", "events"]
    columns: list[ReportColumn]
    count: int
    own: Array = field(default_factory=lambda: np.zeros(0, bool))  # of a table: rows about ebpftop's own processes


Part = HistogramPart | RowsPart | StacksPart


@dataclass(frozen=True, slots=True)
class Report:
    """Values of views are those gained in the span; losses and the cost's counts are cumulative since attaching.

    final: whether the run is being detached.
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


def report(
    run: Run, processes: Mapping[int, Process], seq: int, chunks: Mapping[str, list[Chunk]], wanted: Wanted = INTERVAL
) -> Report:
    """The state of a loaded run. `chunks` are the events to report, by their map."""
    assert run.loaded is not None
    return Report(
        probe=run.probe,
        variant=run.loaded.variant,
        meaning=run.loaded.meaning,
        seq=seq,
        time_ns=run.last.realtime_ns if run.last else 0,
        seconds=readings.interval(run) if wanted == INTERVAL else readings.elapsed(run),
        losses=run.losses,
        cost=readings.cost(run),
        final=run.state in ("detaching", "detached"),
        parts=[view_part(run, view, processes, chunks, wanted) for view in run.views],
        rings=[ring for ring in run.costs[-1].rings if ring.size] if run.costs else [],
    )


def stacks_of(report: Report) -> list[StacksPart]:
    """The report's call stacks."""
    return [part for part in report.parts if isinstance(part, StacksPart)]


def view_part(
    run: Run,
    view: ViewInfo,
    processes: Mapping[int, Process],
    chunks: Mapping[str, list[Chunk]],
    wanted: Wanted,
    selection: Selection = EVERYTHING,
) -> Part:
    """What one view gained in a span. chunks: the events, by the name of their map."""
    if view.show == "histogram":
        return _histogram(run, view, processes, wanted, selection)
    if view.show == "table":
        return _table(run, view, processes, wanted, selection)
    if view.show == "stacks":
        return stacks_part(run, view, processes, wanted, selection)
    return events_part(view, processes, chunks.get(view.map, []))


def _histogram(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], wanted: Wanted, selection: Selection
) -> HistogramPart:
    whole = readings.histogram(run, view, wanted=wanted, selection=selection)
    keyed = readings.histograms_by_key(run, view, wanted, selection) if view.by else None
    return histogram_part(run, view, processes, whole, keyed)


def histogram_part(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], whole: Histogram, keyed: HistogramsByKey | None
) -> HistogramPart:
    """A histogram view's part from its numbers; `keyed` is None where it isn't kept by keys."""
    if keyed is None:
        found = {name: bounds for name, q in PERCENTILES.items() if (bounds := whole.quantile(q))}
        return HistogramPart(view, [], [Series({}, whole.count, found, lambda: whole)] if found else [], whole)
    labels = label_columns(view.by_columns, keyed.keys, processes)
    own = (own_rows(view.by_columns, keyed.keys, len(keyed), processes) & leaves_out(run.params)).tolist()
    counts = keyed.counts.tolist()
    quantiles = {name: _bounds(keyed.groups, q) for name, q in PERCENTILES.items()}
    series = [
        Series(
            {label.shown.name: label.values[n] for label in labels},
            counts[n],
            {name: found[n] for name, found in quantiles.items()},
            partial(keyed.groups.histogram, n),
            own[n],
        )
        for n in sorted(range(len(keyed)), key=counts.__getitem__, reverse=True)
    ]
    told = [label.shown.name for label in labels if not label.is_empty_place]
    return HistogramPart(view, [label.shown.name for label in labels], series, whole, told)


def _bounds(groups: Groups, q: float) -> list[Bounds]:
    lo, hi = groups.quantiles(q)
    return [(low, LIMIT if high == LIMIT - 1 else high) for low, high in zip(lo.tolist(), hi.tolist(), strict=True)]


def _table(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], wanted: Wanted, selection: Selection
) -> RowsPart:
    table = readings.table(run, view, wanted, selection)
    return table_part(run, view, processes, {**table.keys, **table.gauges}, table.gains, table.present)


def table_part(
    run: Run,
    view: ViewInfo,
    processes: Mapping[int, Process],
    fields: Mapping[str, Values],
    counters: Mapping[str, Array],
    present: Array,
) -> RowsPart:
    """A table's part: of the rows those whose counters gained anything; in one without counters, those present."""
    values: dict[str, Values] = {**fields, **counters}
    rows = np.flatnonzero(np.any(list(counters.values()), axis=0)) if counters else np.flatnonzero(present)
    rows = rows[_order(view, values, rows)]
    nothing: Values = np.zeros(0, np.int64)
    picked = {column.field: take(values.get(column.field, nothing), rows) for column in view.columns}
    keys = [column for column in view.columns if column.role == "key"]
    own = own_rows(keys, picked, len(rows), processes) & leaves_out(run.params)
    return RowsPart(view, "table", report_columns(view.columns, picked, processes), len(rows), own)


def events_part(view: ViewInfo, processes: Mapping[int, Process], chunks: list[Chunk]) -> RowsPart:
    """Events in order; `chunks` holds their columns."""
    nothing = {column.field: np.zeros(0, np.int64) for column in view.columns}
    columns = report_columns(view.columns, nothing, processes)
    for chunk in chunks:
        for column, more in zip(columns, report_columns(view.columns, chunk, processes), strict=True):
            column.values.extend(more.values)
    return RowsPart(view, "events", columns, len(columns[0].values) if columns else 0)


def _order(view: ViewInfo, values: Mapping[str, Values], rows: Array) -> Array:
    """The rows by the view's sort column, or its first counter, greatest first; texts from A to Z."""
    by = view.sort or next(iter(view.counters), None)
    column = values.get(by) if by else None
    if column is None:
        return np.arange(len(rows))
    if isinstance(column, Labels):
        return np.argsort(np.array(column.take(rows).texts(), object), kind="stable")
    return np.argsort(-column[rows].astype(np.float64), kind="stable")
