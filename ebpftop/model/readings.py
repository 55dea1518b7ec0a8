"""The numbers in a view of a run, for any span. Nothing here changes the run.

The last interval and everything since the start are the ledger's last differences and totals; other spans are read from
the past. A selection keeps the rows that match it, if the view has its dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import Cost, ViewInfo
from ebpftop.frames.stacks import STACK
from ebpftop.model.ledger import Ledger
from ebpftop.model.machines import Gap, away, within
from ebpftop.model.narrowing import selected_rows
from ebpftop.model.past.past import Across
from ebpftop.model.past.span import INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.rows.matching import rates
from ebpftop.stats.groups import Groups, group
from ebpftop.stats.histogram import Histogram

Key = Mapping[str, int | str]  # by-field → identity number, plain number or label

STEPS = 60  # that show how a histogram moved
_EMPTY = Histogram.of([], [])


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of a span that a view has. span: whole steps, None if there are none. seconds: how long they were
    observed.
    """

    span: Span | None
    seconds: float


@dataclass(frozen=True, slots=True)
class TableReading:
    """A table view: one row per key; for an interval also idle rows, even if they never gained anything or have left
    their map. `present` is False if they are known to have left.

    keys and gauges: field → values. gains: counters in the span; rates: gains per second, NaN without a known time;
    totals: since attaching (or the run's base) until the end of the last interval; for other spans their gains. Gauges
    of rows that left are the last ones seen.
    """

    keys: dict[str, Values]
    gains: dict[str, Array]
    totals: dict[str, Array]
    rates: dict[str, Array]
    gauges: dict[str, Values]
    present: Array

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Array) -> TableReading:
        """Some of the rows, by their indices."""
        return TableReading(
            keys={name: take(values, rows) for name, values in self.keys.items()},
            gains={name: values[rows] for name, values in self.gains.items()},
            totals={name: values[rows] for name, values in self.totals.items()},
            rates={name: values[rows] for name, values in self.rates.items()},
            gauges={name: take(values, rows) for name, values in self.gauges.items()},
            present=self.present[rows],
        )


@dataclass(frozen=True, slots=True)
class HistogramsByKey:
    """A histogram for each key: row n is about `keys[field][n]` and is `groups.histogram(n)`; only keys with values.

    counts: values of each key in the span. rates: the same per second, NaN without a known time. `groups.quantiles(q)`
    gives the bounds of all rows at once (q = 1 is the greatest).
    """

    keys: dict[str, Values]
    groups: Groups
    counts: Array
    rates: Array

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, rows: Array) -> HistogramsByKey:
        """Some of the keys, by their indices."""
        keys = {name: take(values, rows) for name, values in self.keys.items()}
        groups = self.groups.merged(np.arange(len(rows)), rows)
        return HistogramsByKey(keys, groups, groups.totals, self.rates[rows])


@dataclass(frozen=True, slots=True)
class Interval:
    """One step of a histogram view. seconds: 0 for the first, which counts from attaching or is a base."""

    seconds: float
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class CostNow:
    """What a run's programs cost. None where the kernel doesn't count, or nothing ran yet.

    run_count, run_time_ns: since attaching. cpu_percent: of one CPU, between the last two costs. ns_per_event: since
    attaching. attachment_ns: an estimate of the cost of attachments besides their programs, 0 if it is small.
    estimated: whether the kernel accounted only about a tenth of the time, at least for a while.
    """

    run_count: int
    run_time_ns: int
    cpu_percent: float | None
    ns_per_event: float | None
    attachment_ns: int
    estimated: bool = False


def moment(run: Run, wanted: Wanted = INTERVAL) -> object:
    """A value that changes with every frame that brings a run's views something new in a span, or removes a host."""
    gone = frozenset(away(run.gaps))
    if run.last is None or wanted.end > run.last.monotonic_ns:
        return run.id, wanted, gone, run.last and run.last.seq, tuple(log.total for log in run.events.values())
    return run.id, wanted, gone


def interval(run: Run) -> float:
    """Seconds between the last two samples; 0 if only one is known."""
    return run.last.seconds_since(run.previous) if run.last else 0.0


def elapsed(run: Run) -> float:
    """Seconds from the first sample to the last."""
    return max(0.0, (run.last.monotonic_ns - run.began_ns) / 1e9) if run.last else 0.0


def extent(run: Run, view: ViewInfo, wanted: Wanted = INTERVAL) -> Extent:
    """The steps of a view that a span covers, none before it was attached and after its last sample."""
    last = run.last
    if last is None:
        return Extent(None, 0.0)
    if (now := _now(run, view, wanted)) is not None:
        start = run.previous.monotonic_ns if now is INTERVAL and run.previous else run.began_ns
        seconds = interval(run) if now is INTERVAL else elapsed(run)
        return Extent(Span(min(start, last.monotonic_ns - 1), last.monotonic_ns), seconds)
    if isinstance(wanted, Recent):  # a past may go on after what is played of a tape
        wanted = Recent(wanted.seconds, min(wanted.end, last.monotonic_ns))
    if view.show == "events":
        return _of_log(run, wanted)
    past = run.pasts.get(view.name)
    span = past.covered(wanted) if past is not None else None
    if past is None or span is None:
        return Extent(None, 0.0)
    return Extent(span, int(past.times(span)["lasted"].sum()) / 1e9)


def _of_log(run: Run, wanted: Wanted) -> Extent:
    """What a span has of the time in which events came."""
    start, end = run.began_ns, run.last.monotonic_ns if run.last else 0
    if isinstance(wanted, Span):
        start, end = max(start, wanted.start), min(end, wanted.end)
    else:
        end = min(end, wanted.end)
        seconds = wanted.seconds or interval(run)
        start = max(start, Span.last(seconds, end).start) if seconds < elapsed(run) else start
    return Extent(Span(start, end), (end - start) / 1e9) if start < end else Extent(None, 0.0)


def gaps(run: Run, wanted: Wanted = INTERVAL) -> list[Gap]:
    """The times in a span when nothing came from hosts; the numbers don't cover them."""
    if not run.gaps or run.last is None or not run.views:
        return []
    span, ahead = extent(run, run.views[0], wanted).span, run.last.realtime_ns - run.last.monotonic_ns
    return within(run.gaps, span.start + ahead, span.end + ahead) if span is not None else []


def _now(run: Run, view: ViewInfo, wanted: Wanted) -> Recent | None:
    """`INTERVAL` or `START` if the ledger's last differences, or its totals, are wanted; a table shows both."""
    if isinstance(wanted, Span) or run.last is None or wanted.end < run.last.monotonic_ns:
        return None
    if wanted.seconds <= 0:
        return INTERVAL if view.show != "table" or _is_whole(run, view) else None
    return START if wanted.seconds >= max(elapsed(run), 1e-9) and _is_whole(run, view) else None


def _is_whole(run: Run, view: ViewInfo) -> bool:
    """Whether the ledger has everything since the start: after a jump on a tape it lacks rows that left the map
    earlier.
    """
    kept, past = run.kept.get(view.name), run.pasts.get(view.name)
    return kept is past or kept is None or past is None or kept.begin == past.begin


def _of_ledger(run: Run, view: ViewInfo, key: Key | None, selection: Selection) -> Array | None:
    """A mask of the ledger's rows that have the key and are selected; None if all are."""
    ledger = run.ledgers[view.name]
    mask = selected_rows(selection, view, ledger.values, ledger.rows, stacks=run.stacks)
    return mask if not key else ledger.rows_of(key) if mask is None else ledger.rows_of(key) & mask


def of_past(run: Run, view: ViewInfo, key: Key | None = None, selection: Selection = EVERYTHING) -> Array | None:
    """A mask of the rows of a view's past that have the key and are selected; None if all are."""
    roster = run.pasts[view.name].roster
    rows = np.arange(len(roster))
    mask = selected_rows(
        selection, view, lambda name: roster.values(name, rows), len(roster), stacks=run.stacks, others=roster.others
    )
    return mask if not key else roster.where(key) if mask is None else roster.where(key) & mask


def table(run: Run, view: ViewInfo, wanted: Wanted = INTERVAL, selection: Selection = EVERYTHING) -> TableReading:
    """The rows of a table view."""
    found, others = _table(run, view, wanted)
    mask = selected_rows(selection, view, found.keys.__getitem__, len(found), others=others) if len(found) else None
    return found if mask is None else found.take(np.flatnonzero(mask))


def _table(run: Run, view: ViewInfo, wanted: Wanted) -> tuple[TableReading, Array | None]:
    """All rows, and which of them stand for several."""
    ledger, covered, now = run.ledgers.get(view.name), extent(run, view, wanted), _now(run, view, wanted)
    if ledger is None or covered.span is None:
        return TableReading({}, {}, {}, {}, {}, np.zeros(0, bool)), None
    if now is not None:
        gains = dict(ledger.deltas if now is INTERVAL else ledger.totals)
        reading = TableReading(
            keys={name: ledger.values(name) for name in ledger.keys},
            gains=gains,
            totals=dict(ledger.totals),
            rates={name: rates(gain, covered.seconds) for name, gain in gains.items()},
            gauges={name: ledger.values(name) for name in ledger.gauges},
            present=ledger.present,
        )
        return reading, None
    idle = isinstance(wanted, Recent) and wanted.seconds <= 0
    is_last = run.last is not None and covered.span.end == run.last.monotonic_ns
    found = run.pasts[view.name].gained(covered.span, idle=idle)
    reading = TableReading(
        keys=found.keys,
        gains=found.gains,
        totals=found.totals,
        rates={name: rates(gain, covered.seconds) for name, gain in found.gains.items()},
        gauges=found.last,
        present=ledger.holds(found.keys) if idle and is_last else np.ones(len(found), bool),
    )
    return reading, found.others


def histogram(
    run: Run,
    view: ViewInfo,
    key: Key | None = None,
    wanted: Wanted = INTERVAL,
    selection: Selection = EVERYTHING,
) -> Histogram:
    """All keys of a histogram view together, or those whose `by` fields have the values in `key`."""
    ledger, past, now = run.ledgers.get(view.name), run.pasts.get(view.name), _now(run, view, wanted)
    if ledger is None:
        return _EMPTY
    if now is not None:
        counts, slots = _counts(ledger, view, now), ledger.numbers(view.slot)
        mask = _of_ledger(run, view, key, selection)
        whole = Histogram.of(slots, counts) if mask is None else Histogram.of(slots[mask], counts[mask])
        if key or now is INTERVAL or not selection.holds_of_others(view):
            return whole
        return whole.merge(Histogram.of(np.arange(len(ledger.folded)), ledger.folded))
    span = extent(run, view, wanted).span
    if past is None or span is None:
        return _EMPTY
    counts, slots = past.gains(view.count, span), past.roster.column(view.slot)
    mask = of_past(run, view, key, selection)
    return Histogram.of(slots, counts) if mask is None else Histogram.of(slots[mask], counts[mask])


def histograms_by_key(
    run: Run, view: ViewInfo, wanted: Wanted = INTERVAL, selection: Selection = EVERYTHING
) -> HistogramsByKey:
    """A histogram for each key of the view's `by` fields (at least one)."""
    ledger, past, now = run.ledgers.get(view.name), run.pasts.get(view.name), _now(run, view, wanted)
    covered = extent(run, view, wanted)
    if ledger is None or covered.span is None or (now is None and past is None):
        none = np.zeros(0, np.int64)
        return HistogramsByKey({name: none for name in view.by}, group(none, none, none), none, none)
    if now is not None:
        counts = _selected(_counts(ledger, view, now), _of_ledger(run, view, None, selection))
        rows = np.flatnonzero(counts)
        keys: dict[str, Values] = {name: take(ledger.values(name), rows) for name in view.by}
        slots = ledger.numbers(view.slot)[rows]
    else:
        assert past is not None
        counts = _selected(past.gains(view.count, covered.span), of_past(run, view, None, selection))
        rows = np.flatnonzero(counts)
        keys = {name: past.roster.values(name, rows) for name in view.by}
        slots = past.roster.column(view.slot)[rows]
    groups = group([_numbers(values) for values in keys.values()], slots, counts[rows])
    return HistogramsByKey(
        keys={name: _like(values, column) for (name, values), column in zip(keys.items(), groups.keys, strict=True)},
        groups=groups,
        counts=groups.totals,
        rates=rates(groups.totals, covered.seconds),
    )


def stacks(
    run: Run, view: ViewInfo, wanted: Wanted = INTERVAL, selection: Selection = EVERYTHING
) -> tuple[dict[str, Values], Array, Array]:
    """The rows of a stacks view with gains or, for gauges, with a value at the end: keys of the `by` fields, number of
    the stack, count.
    """
    ledger, past, now = run.ledgers.get(view.name), run.pasts.get(view.name), _now(run, view, wanted)
    span = extent(run, view, wanted).span
    if ledger is None or span is None or (now is None and past is None):
        none = np.zeros(0, np.int64)
        return {name: none for name in view.by}, none, none
    if now is not None:
        counts = _selected(_counts(ledger, view, now), _of_ledger(run, view, None, selection))
        rows = np.flatnonzero(counts)
        return {name: take(ledger.values(name), rows) for name in view.by}, ledger.numbers(STACK)[rows], counts[rows]
    assert past is not None
    found = across(run, view, selection, Span(end=span.end) if view.gauge else span)
    return {name: found.keys[name] for name in view.by}, _numbers(found.keys[STACK]), found.gains[0]


def across(run: Run, view: ViewInfo, selection: Selection, *spans: Span) -> Across:
    """The gains of a stacks view's selected rows in each of several spans."""
    found = run.pasts[view.name].across(view.count, *spans)
    mask = selected_rows(
        selection, view, found.keys.__getitem__, len(found.others), stacks=run.stacks, others=found.others
    )
    return found if mask is None else found.take(np.flatnonzero(mask))


def events(run: Run, view: ViewInfo, wanted: Wanted = INTERVAL) -> range:
    """The numbers of a ring buffer's events in a span, selected or not. For one interval, and for all since the start,
    these are all events until its end.
    """
    log = run.events.get(view.map)
    if log is None:
        return range(0)
    if isinstance(wanted, Span):
        return log.within(wanted)
    now = run.last.monotonic_ns if run.last else 0
    end = log.total if wanted.moves else log.within(Span(end=wanted.end)).stop
    if wanted.seconds <= 0 or wanted.seconds >= elapsed(run):
        return range(end)
    return range(min(end, log.within(Span.last(wanted.seconds, min(now, wanted.end))).start), end)


def _selected(counts: Array, mask: Array | None) -> Array:
    return counts if mask is None else np.where(mask, counts, 0)


def _counts(ledger: Ledger, view: ViewInfo, now: Recent) -> Array:
    return (ledger.deltas if now is INTERVAL else ledger.totals)[view.count]


def _numbers(values: Values) -> Array:
    return values.codes if isinstance(values, Labels) else values


def _like(values: Values, numbers: Array) -> Values:
    return Labels(numbers, values.labels) if isinstance(values, Labels) else numbers


def series(
    run: Run,
    view: ViewInfo,
    key: Key | None = None,
    wanted: Wanted = INTERVAL,
    selection: Selection = EVERYTHING,
    steps: int = STEPS,
) -> list[Interval]:
    """The gains in each of the last steps of a histogram view until the end of a span, oldest first: for all keys, or
    for one.
    """
    past = run.pasts.get(view.name)
    if past is None or run.last is None:
        return []
    span = past.latest(steps, min(run.last.monotonic_ns, wanted.end))
    times = past.times(span)
    step, place, gain = past.cells(view.count, span)
    if (mine := of_past(run, view, key, selection)) is not None:
        kept = mine[place]
        step, place, gain = step[kept], place[kept], gain[kept]
    slots = past.roster.column(view.slot)[place]
    edges = np.searchsorted(step, np.arange(len(times) + 1)).tolist()
    return [
        Interval(lasted / 1e9, Histogram.of(slots[first:stop], gain[first:stop]))
        for lasted, first, stop in zip(times["lasted"].tolist(), edges[:-1], edges[1:], strict=True)
    ]


def cost(run: Run) -> CostNow | None:
    """The cost of the run's programs; None before the first `Cost`."""
    if not run.costs:
        return None
    last = run.costs[-1]
    count, time = _sums(last)
    percent = None
    if last.accounted and len(run.costs) > 1 and run.costs[-2].accounted:
        passed = last.monotonic_ns - run.costs[-2].monotonic_ns
        percent = max(0.0, 100 * (time - _sums(run.costs[-2])[1]) / passed)
    attachment = sum(each.run_count * each.attachment_ns for each in last.programs)
    return CostNow(count, time, percent, time / count if count else None, attachment, last.estimated)


def _sums(cost: Cost) -> tuple[int, int]:
    return sum(each.run_count for each in cost.programs), sum(each.run_time_ns for each in cost.programs)
