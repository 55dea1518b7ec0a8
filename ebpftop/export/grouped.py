"""Parts of a report whose rows are sums: by a dimension, or along a tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ebpftop.base.query import words_of
from ebpftop.export.report import (
    HistogramPart,
    Part,
    RowsPart,
    filtered,
    histograms,
    labelled,
    left_out,
    order,
    table_part,
)
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ColumnInfo, Process, ViewInfo
from ebpftop.model import readings
from ebpftop.model.dimensions import CGROUP, Source, keys_of
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import grouped_events, grouped_histograms, grouped_table, grouped_view
from ebpftop.model.readings import HistogramsByKey, TableReading
from ebpftop.model.report_columns import ReportColumn, key_columns, matching, report_columns
from ebpftop.model.run import Run
from ebpftop.model.scope import Aspect, Scope
from ebpftop.model.shown import ShownColumn
from ebpftop.model.trees import Tree, events_of, histograms_of, is_tree, table_of, tree, tree_view
from ebpftop.stats.histogram import Histogram

DEPTH = "depth"  # the column with a tree row's distance from the root


def grouped_part(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope, shown: range = range(0)
) -> Part:
    """A view summed as its aspect says. shown: the numbers of the events that count, whether selected or not."""
    aspect, source = scope.of(run, view), scope.of(run, view).by
    assert source is not None
    if view.show == "histogram":
        whole, keyed = histograms(run, view, scope)
        assert keyed is not None
        return _histograms(run, view, processes, whole, keyed, aspect, source)
    if view.show == "table":
        return _table(run, view, processes, readings.table(run, view, scope.wanted, scope.selection), aspect, source)
    log = run.events.get(view.map) or EventLog()
    count = events_of if is_tree(source) else grouped_events
    found = count(view, log, shown, source, processes, scope.selection)
    if is_tree(source):
        return _table(run, view, processes, found, replace(aspect, own=True), source)
    return _groups(view, processes, found, np.zeros(len(found), bool), aspect, source)


def _table(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], found: TableReading, aspect: Aspect, source: Source
) -> RowsPart:
    apart = left_out(run, keys_of(view), found.keys, len(found), processes, aspect)
    if not is_tree(source):
        return _groups(view, processes, *grouped_table(view, found, source, processes, apart), aspect, source)
    nodes = tree(source, found.keys, processes, apart)
    sums, about = table_of(found, nodes), tree_view(view, source)
    places = _places(nodes, source)
    held = np.any(list(sums.gains.values()), axis=0) if sums.gains else sums.present
    rows = _ordered(nodes, order(about, sums.gains, np.arange(len(nodes))), held, aspect)
    counters = [column for column in about.columns if column.role == "counter"]
    picked = {name: values[rows] for name, values in sums.gains.items()}
    columns = [*_of_nodes(nodes, places, source, rows), *report_columns(counters, picked, processes)]
    return RowsPart(about, "table", columns, len(rows), nodes.own[rows])


def _groups(
    view: ViewInfo,
    processes: Mapping[int, Process],
    found: TableReading,
    apart: Array,
    aspect: Aspect,
    source: Source,
) -> RowsPart:
    """The groups of a table, or of events; `apart` masks the groups of ebpftop's own rows."""
    about = grouped_view(view, source)
    (key,) = keys_of(about)
    part = table_part(about, processes, found.keys, found.gains, found.present, apart)
    columns = [_named(column, key, source) for column in part.columns]
    return filtered(replace(part, columns=columns), aspect)


def _histograms(
    run: Run,
    view: ViewInfo,
    processes: Mapping[int, Process],
    whole: Histogram,
    keyed: HistogramsByKey,
    aspect: Aspect,
    source: Source,
) -> HistogramPart:
    apart = left_out(run, keys_of(view), keyed.keys, len(keyed), processes, aspect)
    if is_tree(source):
        nodes = tree(source, keyed.keys, processes, apart)
        merged, about, own = histograms_of(keyed, nodes), tree_view(view, source), nodes.own
        places, ranked = _places(nodes, source), np.argsort(-merged.counts.astype(np.int64), kind="stable")
        rows = _ordered(nodes, ranked, np.ones(len(nodes), bool), aspect)
        labels = _of_nodes(nodes, places, source, np.arange(len(nodes)))
    else:
        merged, own = grouped_histograms(view, keyed, source, processes, apart)
        about = grouped_view(view, source)
        known = report_columns(about.by_columns, merged.keys, processes)
        rows = np.flatnonzero(matching(known, len(merged), words_of(aspect.query)))
        rows = rows[np.argsort(-merged.counts[rows].astype(np.int64), kind="stable")]
        (key,) = about.by_columns
        labels = [_named(each, key, source) for each in key_columns(about.by_columns, merged.keys, processes)]
    return labelled(about, labels, merged, rows, own, whole)


def _named(column: ReportColumn, key: ColumnInfo, source: Source) -> ReportColumn:
    """A group's column, named after the dimension by which rows are summed."""
    if column.shown.info is not key or column.shown.part is not None:
        return column
    return column._replace(shown=replace(column.shown, name=source.title))


def _places(nodes: Tree, source: Source) -> list[str]:
    """The path of each node in the tree."""
    found: list[str] = []
    for node, (parent, name) in enumerate(zip(nodes.parents.tolist(), nodes.names, strict=True)):
        if source.dimension == CGROUP:
            found.append(nodes.keys[node].replace("\0", " (itself)"))
        else:
            found.append(f"{found[parent]} / {name}" if parent >= 0 else name)
    return found


def _ordered(nodes: Tree, ranked: Array, held: Array, aspect: Aspect) -> Array:
    """The nodes in a mask that match a filter, with all their ancestors; siblings in the order of their rank."""
    if aspect.query:
        named = ReportColumn(ShownColumn(ColumnInfo(field="", title=""), "", ""), list(nodes.names))
        held = nodes.with_parents(held & matching([named], len(nodes), words_of(aspect.query)))
    ranks = np.zeros(len(nodes), np.int64)
    ranks[ranked] = np.arange(len(nodes))
    return nodes.order(ranks, held)


def _of_nodes(nodes: Tree, places: list[str], source: Source, rows: Array) -> list[ReportColumn]:
    depth = ShownColumn(ColumnInfo(field=DEPTH, title=DEPTH), DEPTH, DEPTH)
    path = ShownColumn(ColumnInfo(field=source.title, title=source.title), source.title, source.title)
    return [
        ReportColumn(depth, nodes.depths[rows].tolist()),
        ReportColumn(path, [places[row] for row in rows.tolist()]),
    ]
