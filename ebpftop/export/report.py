"""The contents of a report on an interval or on a whole run, independent of the output format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from ebpftop.export.fields import Field, fields
from ebpftop.export.stack_report import StacksPart, stacks_part
from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import ColumnInfo, Losses, Process, ViewInfo
from ebpftop.model import readings
from ebpftop.model.events import Chunk
from ebpftop.model.readings import CostNow, Window
from ebpftop.model.run import Run
from ebpftop.stats.groups import Groups
from ebpftop.stats.histogram import Bounds, Histogram
from ebpftop.stats.slots import LIMIT

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Series:
    """The histogram of one key; `labels` are the key's fields. Buckets are computed on demand, as keys are many."""

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
    fields: list[Field]
    count: int


Part = HistogramPart | RowsPart | StacksPart


@dataclass(frozen=True, slots=True)
class Report:
    """Views hold the window's values; losses and the cost's counts are cumulative since attaching.

    final: whether it is the last report of a run that is being detached.
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


def report(
    run: Run, processes: Mapping[int, Process], seq: int, chunks: Mapping[str, list[Chunk]], window: Window = "interval"
) -> Report:
    """A report on a loaded run. `chunks` are the events to include, by map."""
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
        found = {name: bounds for name, q in QUANTILES.items() if (bounds := whole.quantile(q))}
        return HistogramPart(view, [], [Series({}, whole.count, found, lambda: whole)] if found else [], whole)
    keyed = readings.by_key(run, view, window)
    known = {column.field: column for column in view.columns}
    columns = [known.get(name) or ColumnInfo(field=name, title=name) for name in view.by]
    labels = [label for label in fields(columns, keyed.keys, processes) if not label.detail]
    counts = keyed.counts.tolist()
    quantiles = {name: _bounds(keyed.groups, q) for name, q in QUANTILES.items()}
    series = [
        Series(
            {label.name: label.values[n] for label in labels},
            counts[n],
            {name: found[n] for name, found in quantiles.items()},
            partial(keyed.groups.histogram, n),
        )
        for n in sorted(range(len(keyed)), key=counts.__getitem__, reverse=True)
    ]
    return HistogramPart(view, [label.name for label in labels], series, whole)


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
    return RowsPart(view, "table", fields(view.columns, picked, processes), len(rows))


def _events(view: ViewInfo, processes: Mapping[int, Process], chunks: list[Chunk]) -> RowsPart:
    nothing = {column.field: np.zeros(0, np.int64) for column in view.columns}
    told = fields(view.columns, nothing, processes)
    for chunk in chunks:
        for field, more in zip(told, fields(view.columns, chunk, processes), strict=True):
            field.values.extend(more.values)
    return RowsPart(view, "events", told, len(told[0].values) if told else 0)


def _order(view: ViewInfo, values: Mapping[str, Values], rows: Array) -> Array:
    """The rows sorted by the view's sort column or its first counter: numbers descending, texts from A to Z."""
    by = view.sort or next((column.field for column in view.columns if column.role == "counter"), None)
    column = values.get(by) if by else None
    if column is None:
        return np.arange(len(rows))
    if isinstance(column, Labels):
        return np.argsort(np.array(column.take(rows).texts(), object), kind="stable")
    return np.argsort(-column[rows].astype(np.float64), kind="stable")
