"""The report of an interval of a run, or of the whole run at its end; the formats only write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from ebpftop.export.report_columns import ReportColumn, key_columns, report_columns
from ebpftop.export.stack_report import StacksPart, stacks_part
from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import Losses, Process, RingUse, ViewInfo
from ebpftop.model import readings
from ebpftop.model.events import Chunk
from ebpftop.model.ledger import Window
from ebpftop.model.readings import CostNow
from ebpftop.model.run import Run
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


@dataclass(frozen=True, slots=True)
class HistogramPart:
    """Series by descending count; those without new values are omitted. `labels` names the key's fields."""

    view: ViewInfo
    labels: list[str]
    series: list[Series]
    whole: Histogram


@dataclass(frozen=True, slots=True)
class RowsPart:
    """A table, sorted as its view says (rows without new values are omitted), or events in order."""

    view: ViewInfo
    kind: Literal["table", "events"]
    columns: list[ReportColumn]
    count: int


Part = HistogramPart | RowsPart | StacksPart


@dataclass(frozen=True, slots=True)
class Report:
    """Values of views are those gained in the window; losses and the cost's counts are cumulative since attaching.

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
    run: Run, processes: Mapping[int, Process], seq: int, chunks: Mapping[str, list[Chunk]], window: Window = "interval"
) -> Report:
    """The state of a loaded run. `chunks` are the events to report, by their map."""
    assert run.loaded is not None
    return Report(
        probe=run.probe,
        variant=run.loaded.variant,
        meaning=run.loaded.meaning,
        seq=seq,
        time_ns=run.last.realtime_ns if run.last else 0,
        seconds=readings.interval(run) if window == "interval" else readings.elapsed(run),
        losses=run.losses,
        cost=readings.cost(run),
        final=run.state in ("detaching", "detached"),
        parts=[_part(run, view, processes, chunks, window) for view in run.views],
        rings=[ring for ring in run.costs[-1].rings if ring.size] if run.costs else [],
    )


def stacks_of(report: Report) -> list[StacksPart]:
    """The report's call stacks."""
    return [part for part in report.parts if isinstance(part, StacksPart)]


def _part(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], chunks: Mapping[str, list[Chunk]], window: Window
) -> Part:
    if view.show == "histogram":
        return _histogram(run, view, processes, window)
    if view.show == "table":
        return _table(run, view, processes, window)
    if view.show == "stacks":
        return stacks_part(run, view, processes, window)
    return _events(view, processes, chunks.get(view.map, []))


def _histogram(run: Run, view: ViewInfo, processes: Mapping[int, Process], window: Window) -> HistogramPart:
    whole = readings.histogram(run, view, window=window)
    if not view.by:
        found = {name: bounds for name, q in PERCENTILES.items() if (bounds := whole.quantile(q))}
        return HistogramPart(view, [], [Series({}, whole.count, found, lambda: whole)] if found else [], whole)
    keyed = readings.histograms_by_key(run, view, window)
    labels = key_columns(view.by_columns, keyed.keys, processes)
    counts = keyed.counts.tolist()
    quantiles = {name: _bounds(keyed.groups, q) for name, q in PERCENTILES.items()}
    series = [
        Series(
            {label.shown.name: label.values[n] for label in labels},
            counts[n],
            {name: found[n] for name, found in quantiles.items()},
            partial(keyed.groups.histogram, n),
        )
        for n in sorted(range(len(keyed)), key=counts.__getitem__, reverse=True)
    ]
    return HistogramPart(view, [label.shown.name for label in labels], series, whole)


def _bounds(groups: Groups, q: float) -> list[Bounds]:
    lo, hi = groups.quantiles(q)
    return [(low, LIMIT if high == LIMIT - 1 else high) for low, high in zip(lo.tolist(), hi.tolist(), strict=True)]


def _table(run: Run, view: ViewInfo, processes: Mapping[int, Process], window: Window) -> RowsPart:
    table = readings.table(run, view)
    counters = table.deltas if window == "interval" else table.totals
    values: dict[str, Values] = {**table.keys, **table.gauges, **counters}
    rows = np.flatnonzero(np.any(list(counters.values()), axis=0)) if counters else np.flatnonzero(table.present)
    rows = rows[_order(view, values, rows)]
    nothing: Values = np.zeros(0, np.int64)
    picked = {column.field: take(values.get(column.field, nothing), rows) for column in view.columns}
    return RowsPart(view, "table", report_columns(view.columns, picked, processes), len(rows))


def _events(view: ViewInfo, processes: Mapping[int, Process], chunks: list[Chunk]) -> RowsPart:
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
