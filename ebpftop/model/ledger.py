"""The running totals of one view: every key ever seen, with its total and its gain in the last sample.

Values in samples are cumulative, but a key may leave the map (its process ended, an LRU map evicted it) and come back
from zero. The totals survive both: the whole value of a returning key counts as new. So does a value that shrank while
its key was present, which also counts as skew. Folding rows into `FOLDED`, or into the row of ended threads, isn't a
gain: they keep their totals here. The sum of all differences always equals the totals. Counts from before the first
known sample are in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ebpftop.frames.change_rows import united
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.columns import take as taken
from ebpftop.frames.messages import FOLDED
from ebpftop.model.sample import Sample, are_new
from ebpftop.rows.keys import Vocabulary, encode
from ebpftop.rows.matching import align

LIMIT = 16_384  # rows that left their map; beyond, the oldest half of them are dropped, and their sums kept
MOST = 1 << 62  # the greatest sum of a counter over all rows


class Ledger:
    """Rows in order of first appearance. `keys` names the key fields, `counters` the fields that only grow, `gauges`
    current values. A view without key fields has one row. moment: the counters are gauges too; rows that left have 0.

    totals, deltas: counter → int64 per row, since attaching (or the base) and in the last interval. present: rows in
    the last sample. touched: indices of the rows that it increased or whose gauges it changed and, with gauges or if
    `idle` rows count too, the new ones. tags: int64 per row, for users that number rows themselves; -1 in new ones.
    process: the key field with identities; dropped rows are added to the row of `FOLDED` with the same other key
    fields. Without it the sums of dropped rows are in `rest`, and with `fold`, a key field of small numbers, `folded`
    has the sums of `counters[0]` for each of its values. thread: the key field with thread numbers, 0 for those that
    have ended. `update` raises `BadFrame`.
    """

    def __init__(
        self,
        keys: Sequence[str],
        counters: Sequence[str],
        gauges: Sequence[str] = (),
        *,
        process: str | None = None,
        thread: str | None = None,
        fold: str | None = None,
        moment: bool = False,
        idle: bool = False,
        limit: int = LIMIT,
    ) -> None:
        self.keys, self.counters, self.gauges = tuple(keys), tuple(counters), tuple(gauges)
        self.process, self.thread, self.fold = (name if name in keys else None for name in (process, thread, fold))
        self.moment, self.limit = moment, limit
        self._touches_births = idle or bool(gauges)
        self.rows = 0
        self.dropped = 0  # rows
        self.skew = 0  # values that shrank
        self.present = np.zeros(0, bool)
        self.touched = np.zeros(0, np.intp)
        self.tags = np.zeros(0, np.int64)
        self.totals: dict[str, Array] = {name: np.zeros(0, np.int64) for name in self.counters}
        self.deltas: dict[str, Array] = {name: np.zeros(0, np.int64) for name in self.counters}
        self.folded = np.zeros(0, np.int64)
        self.rest = dict.fromkeys(self.counters, 0)
        self._seen: dict[str, Array] = {name: np.zeros(0, np.int64) for name in self.counters}  # in the last sample
        self._sums = dict.fromkeys(self.counters, 0.0)  # of the totals of all rows, about
        self._columns: dict[str, Array] = {name: np.zeros(0, np.int64) for name in (*self.keys, *self.gauges)}
        self._words: dict[str, Vocabulary] = {}  # of key fields and gauges that are texts
        self._last: Sample | None = None  # if it had one row a key

    def values(self, name: str) -> Values:
        """A key field or gauge (its last value) of every row: numbers, or `Labels` if samples hold texts."""
        words = self._words.get(name)
        return self._columns[name] if words is None else Labels(self._columns[name], words.labels)

    def numbers(self, name: str) -> Array:
        """A key field as numbers, equal where the keys are."""
        return self._columns[name]

    def rows_of(self, key: Mapping[str, int | str]) -> Array:
        """A mask of the rows whose key fields have these values."""
        mask = np.ones(self.rows, bool)
        for name, value in key.items():
            words = self._words.get(name)
            if words is not None:
                value = words.labels.index(value) if value in words.labels else -1
            mask &= self._columns[name] == value
        return mask

    def holds(self, keys: Mapping[str, Values]) -> Array:
        """A mask of these keys: those that the last sample held."""
        mine, theirs = [], []
        for name in self.keys:
            values, words = keys[name], self._words.get(name)
            if isinstance(values, Labels):
                known = {} if words is None else {label: number for number, label in enumerate(words.labels)}
                values = np.array([known.get(label, -1) for label in values.labels], np.int64)[values.codes]
            mine.append(self._columns[name])
            theirs.append(values)
        at = align(mine, theirs) if self.keys else np.zeros(1, np.intp)
        return np.asarray((at >= 0) & self.present[at])

    def begin(self, columns: Mapping[str, Values]) -> None:
        """The first sample, as a base: its values were counted earlier. Raises `BadFrame`."""
        self.update(columns)
        if not self.moment:
            self.totals = {name: np.zeros(self.rows, np.int64) for name in self.counters}
            self.deltas = dict(self.totals)
            self.touched = np.arange(self.rows if self._touches_births else 0)

    def update(self, columns: Mapping[str, Values]) -> None:
        """Add a sample: one row per key, or several, which are summed, if the view leaves out key fields."""
        self._drop()
        if self._go_on(columns):
            return
        fields = {name: self._numbers(name, columns[name]) for name in (*self.keys, *self.gauges)}
        counts = {name: _counts(name, columns[name]) for name in self.counters}
        if not fields and not counts:
            raise BadFrame("a view shows no column")
        rows = len(next(iter((fields | counts).values())))
        if self.keys:
            fields, counts = self._distinct(fields, counts)
        for name, column in fields.items():
            self._columns[name] = self._columns[name].astype(column.dtype, copy=False)
        at = self._places(fields, len(next(iter((fields | counts).values()))))
        born = at < 0
        births = int(np.count_nonzero(born))
        at[born] = np.arange(self.rows, self.rows + births)
        self._grow(births)
        self._last = Sample(columns, at) if len(at) == rows and not self.moment else None
        touched = np.zeros(self.rows, bool)
        touched[at[born]] = self._touches_births
        for name, column in fields.items():
            if name in self.gauges:
                touched[at] |= self._columns[name][at] != column
            self._columns[name][at] = column
        present = np.zeros(self.rows, bool)
        present[at] = True
        left, into = self._folds(self._left(counts, at, present), present)
        for name, column in counts.items():
            moved = np.zeros(self.rows, np.int64)
            np.add.at(moved, into, self._seen[name][left])
            touched |= self._account(name, at, column, moved[at])
        self.present, self.touched = present, np.flatnonzero(touched)

    def _go_on(self, columns: Mapping[str, Values]) -> bool:
        """Add a sample with the rows of the last one and a few new ones after them. False if it isn't one.

        Apart from comparing and copying, the time depends on the number of changed rows.
        """
        last = self._last
        if last is None or not last.goes_on(columns, self.keys, (*self.counters, *self.gauges)):
            return False
        if self.process is not None and any(last.shrank(name, columns[name]) for name in self.counters):
            return False  # it may have been folded, and come back
        old = len(last.places)
        births = len(next(iter(columns.values()))) - old
        if births:
            born = {name: self._numbers(name, taken(columns[name], np.arange(old, old + births))) for name in self.keys}
            if not are_new(list(born.values()), [self._columns[name] for name in self.keys]):
                return False
            last.places = np.concatenate((last.places, np.arange(self.rows, self.rows + births)))
            self._grow(births)
            for name, column in born.items():
                self._columns[name][-births:] = column
            self.present = np.concatenate((self.present, np.ones(births, bool)))
        touched = [last.places[old:]] if self._touches_births else []
        for name in self.counters:
            changed = last.changed(name, columns[name])
            touched.append(self._add(name, last.places[changed], _counts(name, taken(columns[name], changed))))
        for name in self.gauges:
            changed = last.changed(name, columns[name])
            values = self._numbers(name, taken(columns[name], changed))
            column = self._columns[name].astype(values.dtype)  # a copy
            column[last.places[changed]] = values
            self._columns[name] = column
            touched.append(last.places[changed])
        self.touched = united(touched, self.rows)
        last.columns = columns
        return True

    def _add(self, name: str, at: Array, column: Array) -> Array:
        """Add a counter's gains in the changed rows; return the rows with gains."""
        before = self._seen[name][at]
        shrank = column < before
        self.skew += int(np.count_nonzero(shrank))
        gained = np.where(shrank, column, column - before)
        self.deltas[name] = np.zeros(self.rows, np.int64)
        self.deltas[name][at] = gained
        self._seen[name][at] = column
        self.totals[name] = self.totals[name].copy()  # who has read them keeps them
        self.totals[name][at] += gained
        self._sums[name] += float(gained.sum(dtype=np.float64))
        _possible(name, self._sums[name])
        return at[gained > 0]

    def settle(self) -> None:
        """Begin an interval without gains."""
        self.deltas = {name: np.zeros(self.rows, np.int64) for name in self.counters}
        self.touched = np.zeros(0, np.intp)

    def _places(self, fields: dict[str, Array], rows: int) -> Array:
        """The row of each key, or -1; without key fields there is only one."""
        if not self.keys:
            return np.full(rows, 0 if self.rows else -1)
        return align([self._columns[name] for name in self.keys], [fields[name] for name in self.keys])

    def _left(self, counts: Mapping[str, Array], at: Array, present: Array) -> Array:
        """The rows that left their map, and those that have been there again since, from zero."""
        left = np.zeros(self.rows, bool)
        left[: len(self.present)] = self.present & ~present[: len(self.present)]
        if not self.moment:
            for name, column in counts.items():
                left[at] |= column < self._seen[name][at]
        return np.flatnonzero(left)

    def _folds(self, left: Array, present: Array) -> tuple[Array, Array]:
        """(rows that left, the rows that they were folded into), only for folded rows."""
        if self.process is None or not len(left):
            return left[:0], left[:0]
        into = self._into(left, {self.process: FOLDED, **({self.thread: 0} if self.thread else {})})
        if self.thread:
            ended = self._into(left, {self.thread: 0})
            into = np.where((ended >= 0) & present[ended], ended, into)
        return left[into >= 0], into[into >= 0]

    def _into(self, rows: Array, folded: Mapping[str, int]) -> Array:
        """For each of these rows the one that differs from it only in these keys, or -1."""
        keys = [self._columns[name] for name in self.keys]
        wanted = [
            np.full(len(rows), folded[name], column.dtype) if name in folded else column[rows]
            for name, column in zip(self.keys, keys, strict=True)
        ]
        return align(keys, wanted)

    def _numbers(self, name: str, values: Values) -> Array:
        if not isinstance(values, Labels):
            if values.dtype.kind != "S":
                if name in self._words:
                    raise BadFrame(f"column {name!r} changes from texts to numbers")
                return values.astype({"u": np.uint64, "f": np.float64}.get(values.dtype.kind, np.int64))
            distinct, at = np.unique(values, return_inverse=True)
            values = Labels(at, [value.hex() for value in distinct.tolist()])
        if self.rows and name not in self._words:
            raise BadFrame(f"column {name!r} changes from numbers to texts")
        return self._words.setdefault(name, Vocabulary()).translate(values.codes, values.labels)

    def _distinct(
        self, fields: dict[str, Array], counts: dict[str, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """One row per key: counts of equal keys are summed; of gauges the first one is taken."""
        codes = encode([fields[name] for name in self.keys])
        _, first, group = np.unique(codes, return_index=True, return_inverse=True)
        if len(first) == len(codes):
            return fields, counts
        summed = {name: np.zeros(len(first), np.int64) for name in counts}
        for name, column in counts.items():
            np.add.at(summed[name], group, column)
        return {name: column[first] for name, column in fields.items()}, summed

    def _grow(self, births: int) -> None:
        for table in (self.totals, self._seen, self._columns):
            for name, column in table.items():
                table[name] = np.concatenate((column, np.zeros(births, column.dtype)))
        self.tags = np.concatenate((self.tags, np.full(births, -1)))
        self.rows += births

    def _account(self, name: str, at: Array, column: Array, moved: Array) -> Array:
        """A mask of the rows whose counter gained or, if it is a gauge, changed."""
        if self.moment:
            now = np.zeros(self.rows, np.int64)
            now[at] = column
            before, self.totals[name] = self.totals[name], now
            self.deltas[name] = now
            return np.asarray(now != before)
        before = self._seen[name][at]
        shrank = column < before
        self.skew += int(np.count_nonzero(shrank))
        delta = np.zeros(self.rows, np.int64)
        delta[at] = np.where(shrank, column, np.maximum(column - before - moved, 0))
        seen = np.zeros(self.rows, np.int64)
        seen[at] = column
        self.deltas[name], self._seen[name] = delta, seen
        self.totals[name] = self.totals[name] + delta
        self._sums[name] = float(self.totals[name].sum(dtype=np.float64))
        _possible(name, self._sums[name])
        return delta > 0

    def _drop(self) -> None:
        """If more than `limit` rows left their map, drop at least the oldest half of them, and keep their sums."""
        if self._last is not None and self.rows - len(self._last.places) <= self.limit:
            return
        gone = np.flatnonzero(~self.present)
        if self.process is not None:
            gone = gone[self._columns[self.process][gone] != FOLDED]
        if len(gone) <= self.limit:
            return
        gone = gone[: max((len(gone) + 1) // 2, len(gone) - self.limit)]
        if self.process is not None:
            self._fold(gone)
        else:
            self._set_aside(gone)
        self._last = None
        keep = np.ones(self.rows, bool)
        keep[gone] = False
        self.rows = int(np.count_nonzero(keep))
        self.dropped += len(gone)
        self.present, self.tags = self.present[keep], self.tags[keep]
        for table in (self.totals, self.deltas, self._seen, self._columns):
            for name, column in table.items():
                table[name] = column[keep]
        for name, words in self._words.items():
            self._words[name] = Vocabulary()
            self._columns[name] = self._words[name].translate(*_used(self._columns[name], words.labels))

    def _fold(self, gone: Array) -> None:
        """Add the rows' totals to those of `FOLDED`, which are created if missing."""
        assert self.process is not None
        key = {name: self._columns[name][gone] for name in self.keys}
        key[self.process] = np.full(len(gone), FOLDED, self._columns[self.process].dtype)
        if self.thread:
            key[self.thread] = np.zeros_like(key[self.thread])
        distinct, totals = self._distinct(key, {name: self.totals[name][gone] for name in self.counters})
        at = self._places(distinct, len(distinct[self.process]))
        born = at < 0
        at[born] = np.arange(self.rows, self.rows + np.count_nonzero(born))
        self._grow(int(np.count_nonzero(born)))
        absent = np.zeros(self.rows - len(self.present), bool)
        self.present = np.concatenate((self.present, absent))
        for name, column in distinct.items():
            self._columns[name][at] = column
        for name, column in totals.items():
            self.deltas[name] = np.concatenate((self.deltas[name], absent.astype(np.int64)))
            self.totals[name][at] += column

    def _set_aside(self, gone: Array) -> None:
        for name in self.counters:
            self.rest[name] += int(self.totals[name][gone].sum())
        if self.fold is not None and len(gone):
            slots = self._columns[self.fold][gone]
            folded = np.zeros(max(len(self.folded), int(slots.max()) + 1), np.int64)
            folded[: len(self.folded)] = self.folded
            np.add.at(folded, slots, self.totals[self.counters[0]][gone])
            self.folded = folded


def _used(codes: Array, labels: list[str]) -> tuple[Array, list[str]]:
    """The same texts with only the labels in use."""
    used, at = np.unique(codes, return_inverse=True)
    return at, [labels[code] for code in used.tolist()]


def _counts(name: str, values: Values) -> Array:
    if isinstance(values, Labels) or values.dtype.kind not in "ui":
        raise BadFrame(f"counter {name!r} doesn't hold whole numbers")
    _within(name, values)
    return values.astype(np.int64)


def _within(name: str, counts: Array) -> None:
    """Raise `BadFrame` if sums could exceed an int64: no kernel counts that far."""
    if len(counts):
        _possible(name, -1.0 if counts.min() < 0 else float(counts.sum(dtype=np.float64)))


def _possible(name: str, total: float) -> None:
    if not 0 <= total < MOST:
        raise BadFrame(f"counter {name!r} holds impossible counts")
