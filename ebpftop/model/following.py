"""The part of a view's past and of its events that is shown, so that drawings over time follow the selection, the
picked key and the filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ebpftop.base.query import words_of
from ebpftop.frames.columns import Array, Values, take
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.dimensions import keys_of
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import grouped_view
from ebpftop.model.narrowing import read, selected_events
from ebpftop.model.readings import of_past
from ebpftop.model.report_columns import matching, report_columns
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.model.trees import is_tree


def narrowed(view: ViewInfo, aspect: Aspect) -> Aspect:
    """The part of an aspect that narrows the view over time. The filter of a histogram narrows only the list of its
    keys.
    """
    query = "" if view.show == "histogram" else aspect.query
    return replace(PLAIN, key=aspect.key, query=query, by=aspect.by if query else None)


def is_known(view: ViewInfo, aspect: Aspect) -> bool:
    """Whether the shown part is known step by step. A filter of a tree leaves more than its matches."""
    aspect = narrowed(view, aspect)
    return not (aspect.by is not None and is_tree(aspect.by))


def shown_of_past(run: Run, view: ViewInfo, aspect: Aspect = PLAIN, selection: Selection = EVERYTHING) -> Array | None:
    """A mask of the rows of a view's past; None if all are shown."""
    aspect = narrowed(view, aspect)
    found = of_past(run, view, aspect.key, selection)
    if not aspect.query:
        return found
    past = run.pasts[view.name]
    rows = np.arange(len(past.roster))
    values = {name: past.roster.values(name, rows) for name in past.roster.fields}
    values |= past.texts()
    held = filtered(view, aspect, values, len(rows), selection)
    return held if found is None else found & held


def shown_events(
    view: ViewInfo, log: EventLog, numbers: range, aspect: Aspect = PLAIN, selection: Selection = EVERYTHING
) -> Array:
    """The shown and still kept ones among these numbers of events, ascending."""
    aspect = narrowed(view, aspect)
    found = selected_events(selection, view, log, numbers)
    if not aspect.query:
        return found
    kept = []
    number = max(numbers.start, log.total - log.kept)
    for chunk in log.since(number):
        count = len(next(iter(chunk.values())))
        first, stop = np.searchsorted(found, (number, number + count))
        mine = found[first:stop]
        values = {name: take(each, mine - number) for name, each in chunk.items()}
        kept.append(mine[filtered(view, aspect, values, len(mine), selection)])
        number += count
    return np.concatenate([np.zeros(0, np.int64), *kept])


def filtered(view: ViewInfo, aspect: Aspect, values: Mapping[str, Values], count: int, selection: Selection) -> Array:
    """A mask of `count` rows that a filter leaves; it also searches what is known of their processes. values: of their
    fields.
    """
    processes, events = selection.processes, view.show == "events"
    columns: Sequence[ColumnInfo] = view.by_columns if view.show == "stacks" else view.columns
    if aspect.by is not None:
        columns = keys_of(grouped_view(view, aspect.by))
        values = {columns[0].field: read(aspect.by, values[aspect.by.field], processes)}
        events = False
    searched = [
        each
        for each in report_columns([each for each in columns if each.field in values], values, processes)
        if not (each.shown.info.hidden or (events and each.shown.is_detail))
    ]
    if view.show == "stacks":
        searched = [each for each in searched if not each.shown.is_detail]
    return matching(searched, count, words_of(aspect.query), numbers=events)
