"""Rows that are the nodes of a tree, each with the sum of everything below it."""

from __future__ import annotations

from dataclasses import replace

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.dimensions import Source, threads_of
from ebpftop.model.past.span import INTERVAL, Wanted
from ebpftop.model.readings import HistogramsByKey, TableReading
from ebpftop.model.trees import KEY, Tree, histograms_of, table_of, tree, tree_view
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.rows import Rows, TableColumn, histogram_rows, ranks, table_rows


def tree_of_table(
    view: ViewInfo, found: TableReading, source: Source, processes: Processes, apart: Array, wanted: Wanted = INTERVAL
) -> Rows:
    """A table summed along a tree."""
    nodes = tree(source, found.keys, processes, apart, threads_of(view))
    rows = table_rows(tree_view(view, source), table_of(found, nodes), processes, wanted)
    return _of(rows, nodes, source, processes)


def tree_of_histograms(
    view: ViewInfo, found: HistogramsByKey, source: Source, processes: Processes, apart: Array, wanted: Wanted
) -> Rows:
    """The keys of a histogram merged along a tree."""
    nodes = tree(source, found.keys, processes, apart, threads_of(view))
    rows = histogram_rows(tree_view(view, source), histograms_of(found, nodes), processes, wanted)
    return _of(rows, nodes, source, processes)


def _of(rows: Rows, nodes: Tree, source: Source, processes: Processes) -> Rows:
    if not rows.count:
        return rows
    people = nodes.people
    look = GridColumn(KEY, source.title, least=16, most=80, stretch=True, priority=1)
    named = TableColumn(look, lambda row: cell(nodes.names[row]), lambda: ranks(nodes.names), lambda: nodes.names)
    return replace(
        rows,
        columns=[named, *(column for column in rows.columns if column.look.name != KEY)],
        gone=lambda row: names.ended(int(people[row]), processes),
        about=lambda row: "" if people[row] < 0 else names.described(int(people[row]), processes),
        ours=nodes.own,
        tree=nodes,
    )
