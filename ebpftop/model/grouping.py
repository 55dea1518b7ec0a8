"""Rows summed by one dimension of their view: counts and histograms exactly; gauges are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import ColumnInfo, Process, ViewInfo
from ebpftop.model.dimensions import FUNCTION, Source, keys_of, sources
from ebpftop.model.events import EventLog
from ebpftop.model.narrowing import read, selected_rows
from ebpftop.model.readings import HistogramsByKey, TableReading
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.rows.keys import encode

EVENTS = "events"  # the counter of grouped events


def groupings(view: ViewInfo) -> list[Source]:
    """The dimensions that can sum the rows of a view; none for call stacks."""
    if view.show == "stacks":
        return []
    alone = len(keys_of(view)) == 1 and view.show != "events"
    found: dict[str, Source] = {}
    for source in sources(view):
        if source.dimension != FUNCTION and (source.trait or not alone):
            found.setdefault(source.dimension, source)
    return [*found.values()]


def grouped_view(view: ViewInfo, source: Source) -> ViewInfo:
    """The view with the groups as rows: a table (for events, too), or a histogram."""
    key = next(column for column in keys_of(view) if column.field == source.field)
    if source.trait:
        key = ColumnInfo(field=f"{source.field}.{source.trait}", title=source.title)
    if view.show == "histogram":
        return msgspec.structs.replace(view, by=[key.field], columns=[key])
    counters = [column for column in view.columns if column.role == "counter"]
    if view.show == "events":
        counters = [ColumnInfo(field=EVENTS, title=EVENTS, unit="count", role="counter")]
    sort = EVENTS if view.show == "events" else view.sort
    return msgspec.structs.replace(view, show="table", columns=[key, *counters], sort=sort)


def grouped_table(
    view: ViewInfo, found: TableReading, source: Source, processes: Mapping[int, Process], apart: Array
) -> tuple[TableReading, Array]:
    """The sums of each group, and a mask of the groups of `apart` rows (a mask), which come last."""
    field, values, first, group, count = _groups(view, found.keys, source, processes, apart)
    present = np.zeros(count, bool)
    np.logical_or.at(present, group, found.present)

    def summed(columns: Mapping[str, Array]) -> dict[str, Array]:
        return {name: sums(column, group, count) for name, column in columns.items()}

    reading = TableReading(
        keys={field: take(values, first)},
        gains=summed(found.gains),
        totals=summed(found.totals),
        rates=summed(found.rates),
        gauges={},
        present=present,
    )
    return reading, apart[first]


def grouped_histograms(
    view: ViewInfo, found: HistogramsByKey, source: Source, processes: Mapping[int, Process], apart: Array
) -> tuple[HistogramsByKey, Array]:
    """The merged histograms of each group, and the rest as in `grouped_table`."""
    field, values, first, group, count = _groups(view, found.keys, source, processes, apart)
    merged = found.groups.merged(group)
    rates = sums(found.rates, group, count)
    return HistogramsByKey({field: take(values, first)}, merged, merged.totals, rates), apart[first]


def _groups(
    view: ViewInfo, keys: Mapping[str, Values], source: Source, processes: Mapping[int, Process], apart: Array
) -> tuple[str, Values, Array, Array, int]:
    """The key field, its value in each row, the first row of each group, the group of each row, how many groups."""
    (key,) = keys_of(grouped_view(view, source))
    if not len(apart):
        none = np.zeros(0, np.int64)
        return key.field, none, none, none, 0
    values = read(source, keys[source.field], processes)
    numbers = values.codes if isinstance(values, Labels) else values
    _, first, group = np.unique(encode([apart.astype(np.int64), numbers]), return_index=True, return_inverse=True)
    return key.field, values, first, group, len(first)


def sums(column: Array, group: Array, count: int) -> Array:
    """The sum of each group. group: of each value."""
    added = np.zeros(count, column.dtype)
    np.add.at(added, group, column)
    return added


def grouped_events(
    view: ViewInfo,
    log: EventLog,
    shown: range,
    source: Source,
    processes: Mapping[int, Process],
    selection: Selection = EVERYTHING,
) -> TableReading:
    """How many of the selected events with these numbers each group has."""
    found, row, _ = event_values(view, log, shown, source, processes, selection)
    (key,) = keys_of(grouped_view(view, source))
    gains = {EVENTS: np.bincount(row, minlength=len(found))}
    unknown = {EVENTS: np.full(len(found), np.nan)}
    return TableReading({key.field: found}, gains, gains, unknown, {}, np.ones(len(found), bool))


def event_values(
    view: ViewInfo,
    log: EventLog,
    shown: range,
    source: Source,
    processes: Mapping[int, Process],
    selection: Selection = EVERYTHING,
) -> tuple[Values, Array, Array]:
    """The values of a dimension in the selected events with these numbers; for each such event the index of its value,
    and its number.
    """
    places: dict[int | str, int] = {}
    rows, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, values in _parts(view, log, shown, source.field, selection):
        of = read(source, values, processes)
        distinct, at = np.unique(of.codes if isinstance(of, Labels) else of, return_inverse=True)
        names = [of.labels[code] for code in distinct.tolist()] if isinstance(of, Labels) else distinct.tolist()
        rows.append(np.array([places.setdefault(name, len(places)) for name in names], np.int64)[at])
        numbers.append(number)
    found = [*places]
    texts = any(isinstance(name, str) for name in found)
    keys: Values = Labels(np.arange(len(found)), [str(name) for name in found]) if texts else np.array(found, np.int64)
    return keys, np.concatenate(rows), np.concatenate(numbers)


def _parts(
    view: ViewInfo, log: EventLog, shown: range, field: str, selection: Selection
) -> Iterator[tuple[Array, Values]]:
    """The numbers of the selected events, and a field of them."""
    number = max(shown.start, log.total - log.kept)
    for chunk in log.since(number):
        count = len(chunk[field])
        if (rows := min(count, shown.stop - number)) <= 0:
            return
        mask = selected_rows(selection, view, chunk.__getitem__, count)
        kept = np.arange(rows) if mask is None else np.flatnonzero(mask[:rows])
        yield number + kept, take(chunk[field], kept)
        number += count
