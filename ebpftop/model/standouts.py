"""Finds what stands out in a region of a view, and in the same span of other runs. It searches every key field, and the
traits of processes: name, user and cgroup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ebpftop.frames.columns import Array, Labels
from ebpftop.frames.messages import FOLDED, UNKNOWN, ColumnInfo, Process, ViewInfo
from ebpftop.model.dimensions import TRAITS, keys_of
from ebpftop.model.own import leaves_out, own_rows
from ebpftop.model.past.roster import Roster
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.run import Run
from ebpftop.stats.standout import LEVEL, Cells, Region, Standout, standouts

_TRAITS = ("name", "user", "cgroup")  # of those that processes have in common


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that stands out. trait: of processes, "" for the column itself; then `value` is the key's: a number (for
    a process its identity) or a text. inside, outside: its shares, 0 to 1. gain: how much of "inside or outside?" it
    answers, 0 to 1. count: its gain inside.
    """

    run: int
    probe: str
    view: ViewInfo
    column: ColumnInfo
    trait: str
    value: int | str
    inside: float
    outside: float
    gain: float
    count: int


def in_region(
    run: Run,
    view: ViewInfo,
    processes: Mapping[int, Process],
    span: Span,
    slots: range | None = None,
    *,
    around: Span = ALL,
    only: Array | None = None,
    level: float = LEVEL,
) -> list[Finding]:
    """What stands out in the steps of a span and, for a histogram, in these slots (None: all), against the other steps
    `around`. The best explanation comes first; empty if nothing stands out.

    only: a mask of the past's rows to consider. ebpftop's own processes are left out as in rankings.
    """
    past = run.pasts.get(view.name)
    counter = _counter(view)
    if past is None or counter is None or counter not in past.counters:
        return []
    steps, rows, counts = past.cells(counter, around)
    kept = _kept(run, view, past.roster, processes)
    if only is not None:
        kept &= only
    times = past.times(around)
    some = kept[rows] & (times["lasted"][steps] > 0)  # what was there when reading began is of no time
    within = np.ones(len(past.roster), bool)
    if slots is not None:
        slot = past.roster.column(view.slot)
        within = (slot >= slots.start) & (slot < slots.stop)
    first, stop = np.searchsorted(times["end"], (span.start, span.end), "right").tolist()
    dimensions = _dimensions(view, past.roster, processes)
    found = standouts(
        Cells(steps[some], rows[some], counts[some], len(times)),
        Region(first, stop, within),
        [dimension.codes for dimension in dimensions],
        level,
    )
    return [_finding(run, view, dimensions[each.dimension], each) for each in found]


def share(
    run: Run, view: ViewInfo, span: Span, slots: range, *, around: Span = ALL, only: Array | None = None
) -> float:
    """The share of the steps `around` that lies in the region of `in_region`, 0 to 1; 0 if there is nothing."""
    past = run.pasts.get(view.name)
    if past is None:
        return 0.0
    slot = past.roster.column(view.slot)
    chosen = np.ones(len(past.roster), bool) if only is None else only
    inside = chosen & (slot >= slots.start) & (slot < slots.stop)
    whole = int(past.gains(view.count, around)[chosen].sum())
    return int(past.gains(view.count, span)[inside].sum()) / whole if whole else 0.0


def _finding(run: Run, view: ViewInfo, of: _Dimension, found: Standout) -> Finding:
    return Finding(
        run=run.id,
        probe=run.probe,
        view=view,
        column=of.column,
        trait=of.trait,
        value=of.values[found.value],
        inside=found.inside,
        outside=found.outside,
        gain=found.gain,
        count=found.count,
    )


def elsewhere(
    runs: Iterable[Run],
    processes: Mapping[int, Process],
    span: Span,
    *,
    around: Span = ALL,
    but: tuple[int, str] | None = None,
) -> list[Finding]:
    """What stands out in a span in the views of all runs except that of (run, view), against the steps before and
    after. The level applies to all views together.
    """
    views = [
        (run, view, past)
        for run in runs
        for view in run.views
        if (run.id, view.name) != but and _counter(view) and (past := run.pasts.get(view.name)) is not None
    ]
    found = [
        finding
        for run, view, past in views
        for finding in in_region(run, view, processes, past.about(span), around=around, level=LEVEL / len(views))
    ]
    return sorted(found, key=lambda finding: -finding.gain)


def _counter(view: ViewInfo) -> str | None:
    """The counter: for a table its sort column, or else its first counter."""
    if view.show == "histogram" or (view.show == "stacks" and not view.gauge):
        return view.count
    if view.show == "table" and view.counters:
        return view.sort if view.sort in view.counters else view.counters[0]
    return None


def _kept(run: Run, view: ViewInfo, roster: Roster, processes: Mapping[int, Process]) -> Array:
    """A mask of the rows that a ranking shows."""
    if not leaves_out(run.params):
        return np.ones(len(roster), bool)
    keys = {column.field: roster.column(column.field) for column in keys_of(view)}
    return ~own_rows(keys_of(view), keys, len(roster), processes)


@dataclass(frozen=True, eq=False, slots=True)
class _Dimension:
    """values: of each number. codes: a number per row of the past, -1 if it has no value."""

    column: ColumnInfo
    trait: str
    values: Sequence[int | str]
    codes: Array


def _dimensions(view: ViewInfo, roster: Roster, processes: Mapping[int, Process]) -> list[_Dimension]:
    found = []
    for column in keys_of(view):
        rows = np.arange(len(roster))
        numbers, first, codes = np.unique(roster.column(column.field), return_index=True, return_inverse=True)
        values = roster.values(column.field, rows[first])
        codes[roster.others] = -1
        if not column.is_process:
            labels = values.texts() if isinstance(values, Labels) else values.tolist()
            found.append(_Dimension(column, "", labels, codes))
            continue
        codes[np.isin(numbers, (FOLDED, UNKNOWN))[codes] & ~roster.others] = -1
        found.append(_Dimension(column, "", numbers.tolist(), codes))
        found += [_common(column, trait, numbers, codes, processes) for trait in _TRAITS]
    return found


def _common(
    column: ColumnInfo, trait: str, identities: Array, codes: Array, processes: Mapping[int, Process]
) -> _Dimension:
    """The traits that several processes share; a trait of just one would say the same as the process."""
    known = (processes.get(number) for number in identities.tolist())
    texts = [TRAITS[trait](process) if process else "" for process in known]
    shared = [text for text, number in Counter(texts).items() if text and number > 1]
    numbers = {text: number for number, text in enumerate(shared)}
    code = np.array([numbers.get(text, -1) for text in texts], np.int64)
    return _Dimension(column, trait, shared, np.where(codes < 0, -1, code[codes]) if len(code) else codes)
