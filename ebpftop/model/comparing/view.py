"""A view in two spans: the numbers of each row before and after, and which changed by more than normal variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ebpftop.frames.columns import Array, take
from ebpftop.frames.columns import Values as Column
from ebpftop.frames.messages import ColumnInfo, Process, ViewInfo
from ebpftop.model.comparing.counted import Counted
from ebpftop.model.comparing.gauges import gauge_columns, gauges
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.joined import Joined, joined
from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.sides import OfPast, Side, event_sides
from ebpftop.model.dimensions import NAME, Source
from ebpftop.model.grouping import EVENTS, groupings
from ebpftop.model.own import leaves_out
from ebpftop.model.past.span import Span
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.stats.change import Side as Parts
from ebpftop.stats.change import chances, one_length
from ebpftop.stats.histogram import PERCENTILES, Histogram
from ebpftop.stats.percentile_change import Values, percentile_changes

ROWS = 2000  # that are compared: those that gained most
VALUES = "values"  # the number of a histogram

_Asked = tuple[Number, tuple[Parts, Parts]]  # a number whose chance isn't known, and what it is asked of


@dataclass(frozen=True, eq=False, slots=True)
class ViewComparison:
    """keys: of each row by field, as described by `columns`; `processes` explains identities. own: rows about ebpftop's
    own processes, which rankings leave out. others: how many rows gained less than all of these. numbers: of each row.
    whole: of all rows together, for a histogram. seconds, steps: of each span. by: the dimension that sums rows, and by
    which events are counted.
    """

    view: ViewInfo
    columns: list[ColumnInfo]
    keys: dict[str, Column]
    processes: dict[int, Process]
    own: Array
    others: int
    seconds: tuple[float, float]
    steps: tuple[int, int]
    numbers: list[Number]
    whole: list[Number]
    histograms: tuple[Histogram, Histogram] | None
    by: Source | None = None

    def __len__(self) -> int:
        return len(self.own)

    def order(self) -> Array:
        """Rows ordered by their change: changed ones first, then the others; without rows that did nothing."""
        active = np.zeros(len(self), bool)
        for number in self.numbers:
            active |= np.nan_to_num(number.before[1]) + np.nan_to_num(number.after[1]) > 0
        rows = np.flatnonzero(active)
        if not self.numbers:
            return rows
        changed = np.any([number.changed for number in self.numbers], axis=0)
        first = self.first
        size = np.abs(first.change)
        rates = np.nan_to_num(first.before[0]) + np.nan_to_num(first.after[0])
        return rows[np.lexsort((-rates[rows], -size[rows], ~changed[rows]))]

    @property
    def first(self) -> Number:
        """The number that rows are sorted by."""
        return next((number for number in self.numbers if number.name == self.view.sort), self.numbers[0])


def comparable(view: ViewInfo) -> bool:
    """Whether a view has something that can be compared row by row."""
    if view.show == "events":
        return bool(groupings(view))
    return view.show == "histogram" or (view.show == "table" and bool(view.counters or gauge_columns(view)))


def summed_by(view: ViewInfo, group: Source | None) -> Source | None:
    """The dimension that sums the rows. Events are always summed, by default by the names of processes."""
    if view.show != "events" or group is not None:
        return group
    found = groupings(view)
    return next((each for each in found if each.dimension == NAME), found[0] if found else None)


def compare(a: Half, b: Half, view: ViewInfo, group: Source | None = None) -> ViewComparison | None:
    """The view in both spans; None if one of them holds no step of it."""
    question = ask(a, b, view, group=group)
    return question.answer() if question else None


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """The inputs of a comparison, from two pasts. `answer` takes longer and reads neither, so a thread may call it.

    answered: the comparison without the numbers that are judged. missing: masks of rows about nobody.
    """

    answered: ViewComparison
    counted: tuple[Counted, Counted]
    missing: Pair

    def answer(self) -> ViewComparison:
        found, view = self.answered, self.answered.view
        histogram, histograms = view.show == "histogram", None
        asked = [_rate(view, column, *self.counted, self.missing) for column in counters_of(view)]
        if histogram:
            one, other = (counted.values(view.count) for counted in self.counted)
            histograms = _whole(one), _whole(other)
            for name, change in percentile_changes(one, other, PERCENTILES).items():
                asked.append((Number(name, name, view.unit, False, change.before, change.after, None), change.sides))
        numbers = _judged(asked, np.arange(len(found))) if asked else []
        whole = _judged(asked, np.array([self.counted[0].rows - 1])) if histogram else []
        if len(found) and whole:
            numbers, whole = _of_two(numbers), _of_two(whole)
        return replace(found, numbers=[*numbers, *found.numbers], whole=whole, histograms=histograms)


def counters_of(view: ViewInfo) -> list[ColumnInfo]:
    """What rows gain."""
    if view.show == "histogram":
        return [ColumnInfo(field=view.count, title=VALUES, role="counter")]
    if view.show == "events":
        return [ColumnInfo(field=EVENTS, title=EVENTS, role="counter")]
    return [column for column in view.columns if column.role == "counter"]


def ask(
    a: Half, b: Half, view: ViewInfo, selection: Selection = EVERYTHING, group: Source | None = None
) -> Question | None:
    """The question to answer; None if one of the spans holds no step of the view. group: a dimension that sums rows."""
    by = summed_by(view, group)
    sides = _sides(a, b, view, by, selection)
    if sides is None:
        return None
    fields = [column.field for column in counters_of(view)]
    rows = joined(a, b, sides, view, by)
    missing = _missing(a, rows, 0, sides[0].span), _missing(b, rows, 1, sides[1].span)
    values = []
    if by is None and isinstance(sides[0], OfPast) and isinstance(sides[1], OfPast):
        values = [without(number, missing) for number in gauges(view, rows, (sides[0], sides[1]))]
    most = _most(rows, sides, fields, values)
    kept = np.sort(most[:ROWS])
    at = np.full(rows.rows, -1)
    at[kept] = np.arange(len(kept))
    units = _units(sides[0].lasted, sides[1].lasted)
    slot = view.slot if view.show == "histogram" else ""
    one, other = (
        Counted(side, at[place], len(kept), unit, fields, slot)
        for side, place, unit in zip(sides, (rows.before, rows.after), units, strict=True)
    )
    mine = np.arange(len(kept) if rows.columns or view.show != "histogram" else 0)
    return Question(
        answered=ViewComparison(
            view=view,
            columns=rows.columns,
            keys={name: take(each, kept[mine]) for name, each in rows.keys.items()},
            processes=rows.processes,
            own=(rows.own & leaves_out(b.run.params))[kept][mine],
            others=len(most) - len(kept),
            seconds=(one.seconds, other.seconds),
            steps=(int((sides[0].lasted > 0).sum()), int((sides[1].lasted > 0).sum())),
            numbers=[number.take(kept) for number in values],
            whole=[],
            histograms=None,
            by=by,
        ),
        counted=(one, other),
        missing=(missing[0][kept], missing[1][kept]),
    )


def _sides(a: Half, b: Half, view: ViewInfo, by: Source | None, selection: Selection) -> tuple[Side, Side] | None:
    if not comparable(view) or (by is not None and by not in groupings(view)):
        return None
    if view.show == "events":
        return event_sides(a, b, view, by, selection) if by is not None else None
    before, after = (OfPast.of(half, view, half.narrowed(selection)) for half in (a, b))
    return None if before is None or after is None else (before, after)


def _units(a: Array, b: Array) -> Pair:
    """The unit of each step. A first step without length has none: it was counted before reading began."""
    units = np.where(a > 0, 0, -1), np.where(b > 0, 0, -1)
    for into, found in zip(units, one_length(a[a > 0], b[b > 0]), strict=True):
        into[into >= 0] = found
    return units


def _most(rows: Joined, sides: tuple[Side, Side], fields: Sequence[str], values: Sequence[Number]) -> Array:
    """The rows with gains, greatest first; if nothing is gained, those with values, greatest first."""
    total = np.zeros(rows.rows)
    for side, place in zip(sides, (rows.before, rows.after), strict=True):
        for field in fields:
            gains = side.gains(field).astype(np.float64)
            np.add.at(total, place, gains if side.only is None else gains * side.only)
    if not fields:
        for number in values:
            total = np.fmax(total, np.fmax(number.before[1], number.after[1]))
    most = np.argsort(-total, kind="stable")
    return np.asarray(most[total[most] > 0])


def _missing(half: Half, rows: Joined, side: int, span: Span) -> Array:
    """A mask of the rows about a process that didn't exist in a span, or, if known only by name, has no row there."""
    missing = np.zeros(rows.rows, bool)
    for column in rows.columns:
        values = rows.keys[column.field]
        if column.is_process and isinstance(values, np.ndarray):
            known = {number: rows.processes.get(number) for number in np.unique(values).tolist()}
            gone = [number for number, process in known.items() if process and not half.alive(process, span)]
            missing |= np.isin(values, gone)
    return missing | (rows.by_name & ~rows.there[side])


def without(number: Number, missing: Pair) -> Number:
    """A number with unknown values for rows about nobody."""
    before, after = (
        (np.where(nobody, np.nan, lo), np.where(nobody, np.nan, hi))
        for nobody, (lo, hi) in zip(missing, (number.before, number.after), strict=True)
    )
    return replace(number, before=before, after=after)


def _rate(view: ViewInfo, column: ColumnInfo, a: Counted, b: Counted, missing: Pair) -> _Asked:
    sides = a.rates(column.field), b.rates(column.field)
    found = []
    for side, counted, nobody in zip(sides, (a, b), missing, strict=True):
        rate = side.parts.sum(axis=0) / counted.seconds
        rate[:-1][nobody & (rate[:-1] == 0)] = np.nan
        found.append((rate, rate))
    name = VALUES if view.show == "histogram" else column.field
    return Number(name, column.title, column.unit, True, found[0], found[1], None), sides


def _whole(values: Values) -> Histogram:
    """The numbers of all rows together, which are the last row."""
    mine = values.row == values.rows - 1
    return Histogram.of(values.slot[mine], values.counts[mine])


def _judged(asked: Sequence[_Asked], rows: Array) -> list[Number]:
    """Some rows of all numbers, with the probability of each change; they are tested together."""
    numbers = [number.take(rows) for number, _ in asked]
    before, after = (
        Parts(
            np.hstack([sides[at].parts[:, rows] for _, sides in asked]),
            np.hstack([sides[at].wholes[:, rows] for _, sides in asked]),
        )
        for at in (0, 1)
    )
    found = chances(before, after)
    if found is None:
        return numbers
    parts = np.split(found, len(numbers))
    return [replace(number, chance=part) for number, part in zip(numbers, parts, strict=True)]


def _of_two(numbers: list[Number]) -> list[Number]:
    """If rows and the whole are tested separately, each gets half of the level."""
    return [
        number if number.chance is None else replace(number, chance=np.minimum(1, 2 * number.chance))
        for number in numbers
    ]
