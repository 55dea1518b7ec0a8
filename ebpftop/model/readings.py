"""The numbers in a view of a run. Pure functions: nothing here changes a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, equal
from ebpftop.frames.messages import Cost, ViewInfo
from ebpftop.model.ledger import Window
from ebpftop.model.run import Interval, Run, Sample
from ebpftop.rows.matching import rates
from ebpftop.stats.groups import Groups, group
from ebpftop.stats.histogram import Histogram

Key = Mapping[str, int | str]  # by-field → identity number, plain number or label

_EMPTY = Histogram.of([], [])


@dataclass(frozen=True, slots=True)
class TableReading:
    """A table view: one row a key, in order of birth, also those that left their map (`present` is False).

    keys and gauges: field → values. totals: counters since attaching; deltas: in the last interval; rates: deltas a
    second, NaN where no interval is known. Gauges of rows that left are as last seen.
    """

    keys: dict[str, Values]
    totals: dict[str, Array]
    deltas: dict[str, Array]
    rates: dict[str, Array]
    gauges: dict[str, Values]
    present: Array

    def __len__(self) -> int:
        return len(self.present)


@dataclass(frozen=True, slots=True)
class HistogramsByKey:
    """A histogram for each key: row n is about `keys[field][n]` and is `groups.histogram(n)`; only keys with values.

    counts: values of each key in the window. rates: of the last interval, a second, NaN where none is known.
    `groups.quantiles(q)` gives the bounds of all rows at once (q = 1 is the greatest).
    """

    keys: dict[str, Values]
    groups: Groups
    counts: Array
    rates: Array

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class CostNow:
    """What a run's programs cost. None where the kernel doesn't count, or nothing ran yet.

    run_count, run_time_ns: since attaching. cpu_percent: of one CPU, between the last two costs. ns_per_event: since
    attaching. attachment_ns: an estimate of what the attachments took besides their programs, 0 where that is little.
    """

    run_count: int
    run_time_ns: int
    cpu_percent: float | None
    ns_per_event: float | None
    attachment_ns: int


def moment(run: Run) -> object:
    """Changes with every frame that brings the views of a run something new."""
    return run.id, run.last and run.last.seq, tuple(log.total for log in run.events.values())


def interval(run: Run) -> float:
    """Seconds between the last two samples; 0 where only one is known."""
    return run.last.seconds_since(run.previous) if run.last else 0.0


def elapsed(run: Run) -> float:
    """Seconds from the first sample to the last."""
    return max(0.0, (run.last.monotonic_ns - run.began_ns) / 1e9) if run.last else 0.0


def table(run: Run, view: ViewInfo) -> TableReading:
    """The rows of a table view."""
    ledger = run.ledgers.get(view.name)
    if ledger is None:
        return TableReading({}, {}, {}, {}, {}, np.zeros(0, bool))
    seconds = interval(run)
    return TableReading(
        keys={name: ledger.values(name) for name in ledger.keys},
        totals=dict(ledger.totals),
        deltas=dict(ledger.deltas),
        rates={name: rates(delta, seconds) for name, delta in ledger.deltas.items()},
        gauges={name: ledger.values(name) for name in ledger.gauges},
        present=ledger.present,
    )


def histogram(run: Run, view: ViewInfo, key: Key | None = None, window: Window = "interval") -> Histogram:
    """All keys of a histogram view together, or those whose `by` fields have the values in `key`."""
    ledger = run.ledgers.get(view.name)
    if ledger is None:
        return _EMPTY
    counts = ledger.counts(view.count, window)
    slots = ledger.numbers(view.slot)
    if key:
        rows = ledger.rows_of(key)
        return Histogram.of(slots[rows], counts[rows])
    whole = Histogram.of(slots, counts)
    return whole.merge(Histogram.of(np.arange(len(ledger.folded)), ledger.folded)) if window == "start" else whole


def histograms_by_key(run: Run, view: ViewInfo, window: Window = "interval") -> HistogramsByKey:
    """A histogram for each key of the view's `by` fields (at least one)."""
    ledger = run.ledgers.get(view.name)
    if ledger is None:
        none = np.zeros(0, np.int64)
        return HistogramsByKey({name: none for name in view.by}, group(none, none, none), none, none)
    counts = ledger.counts(view.count, window)
    rows = np.flatnonzero(counts)
    keys = [ledger.numbers(name)[rows] for name in view.by]
    slots = ledger.numbers(view.slot)[rows]
    groups = group(keys, slots, counts[rows])
    gained = groups.totals if window == "interval" else group(keys, slots, ledger.deltas[view.count][rows]).totals
    return HistogramsByKey(
        keys={name: _like(ledger.values(name), column) for name, column in zip(view.by, groups.keys, strict=True)},
        groups=groups,
        counts=groups.totals,
        rates=rates(gained, interval(run)),
    )


def _like(values: Values, numbers: Array) -> Values:
    return Labels(numbers, values.labels) if isinstance(values, Labels) else numbers


def series(run: Run, view: ViewInfo, key: Key | None = None) -> list[Interval]:
    """What was gained in each of the last intervals, oldest first: by all keys, or by one key of a histogram view."""
    if not key:
        return list(run.intervals.get(view.name, ()))
    samples = [sample for sample in run.samples if view.map in sample.maps]
    return [_gain(before, sample, view, key) for before, sample in pairwise(samples)]


def _gain(before: Sample, sample: Sample, view: ViewInfo, key: Key) -> Interval:
    """Computed once: samples don't change, and follow each other in one order."""
    name = (view.name, *key.items())
    if name not in sample.gains:
        gained, _ = _of_key(sample, view, key).subtract(_of_key(before, view, key))
        seconds = sample.seconds_since(before)
        sample.gains[name] = Interval(sample.realtime_ns, seconds, gained, {view.count: gained.count})
    return sample.gains[name]


def _of_key(sample: Sample, view: ViewInfo, key: Key) -> Histogram:
    columns = sample.maps[view.map]
    slots, counts = columns[view.slot], columns[view.count]
    assert isinstance(slots, np.ndarray)
    assert isinstance(counts, np.ndarray)
    rows = np.ones(len(slots), bool)
    for name, wanted in key.items():
        rows &= equal(columns[name], wanted)
    return Histogram.of(slots[rows], counts[rows])


def cost(run: Run) -> CostNow | None:
    """What the run's programs cost; None before the first `Cost`."""
    if not run.costs:
        return None
    last = run.costs[-1]
    count, time = _sums(last)
    percent = None
    if last.accounted and len(run.costs) > 1 and run.costs[-2].accounted:
        passed = last.monotonic_ns - run.costs[-2].monotonic_ns
        percent = max(0.0, 100 * (time - _sums(run.costs[-2])[1]) / passed)
    attachment = sum(each.run_count * each.attachment_ns for each in last.programs)
    return CostNow(count, time, percent, time / count if count else None, attachment)


def _sums(cost: Cost) -> tuple[int, int]:
    return sum(each.run_count for each in cost.programs), sum(each.run_time_ns for each in cost.programs)
