"""Snapshots on a socket or a tape, each stored as the difference from the previous one there.

Both ends keep the rows of every map in one order. A change removes rows, changes values of remaining rows, and appends
new ones. The writer compares with what it last wrote, not with what it was last given: the next change after a skipped
snapshot includes that one's changes. A key change holds all rows; the stream of a run begins with one.

Numbers are packed into the smallest type that holds them. Integers are stored as differences, modulo their size. The
reader is `frames.received`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import structs

from ebpftop.frames.change_rows import Rows, adds, as_gaps, packed, raw, united
from ebpftop.frames.columns import CODES, Array
from ebpftop.frames.messages import (
    AnyFrame,
    Changes,
    Column,
    Columns,
    Detached,
    Hello,
    Loaded,
    RowChanges,
    Snapshot,
    ViewInfo,
    Written,
)
from ebpftop.rows.keys import Vocabulary, encode
from ebpftop.rows.matching import align

_SPARE = 1024  # labels that may stay though no row has them
_SHARED = ("run", "seq", "realtime_ns", "monotonic_ns", "boottime_ns", "losses")


class ChangeWriter:
    """Converts a stream of frames to its written form. keeps: whether `last_two` is wanted.

    changed: if given, called for each map that changed, with its run, the map and how its rows changed.
    """

    def __init__(self, *, keeps: bool = False, changed: Callable[[int, str, Moved], None] | None = None) -> None:
        self._keeps, self._changed = keeps, changed
        self._values: dict[int, dict[str, set[str]]] = {}  # run → map → the columns that aren't keys
        self._runs: dict[int, dict[str, _Written]] = {}
        self._last: dict[int, Changes] = {}  # what was made last, and what there was before it
        self._before: dict[int, tuple[Changes, dict[str, Rows]] | None] = {}

    def written(self, frame: AnyFrame) -> Written:
        """The form in which a frame is written next."""
        match frame:
            case Hello():
                self._values, self._runs = {}, {}
                self._last, self._before = {}, {}
            case Loaded():
                self._values[frame.run] = _value_columns(frame.views)
            case Snapshot():
                return self._changes(frame)
            case Detached():
                self._values.pop(frame.run, None)
                self._runs.pop(frame.run, None)
        return frame

    def forget(self, run: int) -> None:
        """The last result was not written: the next change is a key change."""
        for each in (self._runs, self._last, self._before):
            each.pop(run, None)

    def last_two(self, run: int) -> list[Changes]:
        """The last two snapshots of a run, for a reader that knows nothing about it: the first one is a key change."""
        last = self._last.get(run)
        if last is None:
            return []
        before = self._before[run]
        if before is None:
            return [last]
        rows = {name: each.whole() for name, each in before[1].items()}
        if not last.key:
            known = {name: structs.replace(change, labels={}) for name, change in last.rows.items()}
            last = structs.replace(last, rows=known)
        return [structs.replace(before[0], key=True, rows=rows), last]

    def keep_only(self, runs: Container[int]) -> None:
        """`last_two` is no longer wanted for other runs, unless they go on."""
        for run in [run for run in self._last if run not in runs and run not in self._runs]:
            del self._last[run], self._before[run]

    def _changes(self, snapshot: Snapshot) -> Changes:
        run = snapshot.run
        maps = self._runs.get(run)
        key = (
            maps is None
            or list(maps) != list(snapshot.maps)
            or not all(maps[name].fits(columns) for name, columns in snapshot.maps.items())
        )
        if self._keeps:
            last = self._last.get(run)
            still = {name: each.still() for name, each in (maps or {}).items()}
            self._before[run] = None if last is None else (last, still)
        if key or maps is None:
            values = self._values.get(run, {})
            maps = {name: _Written(columns, values.get(name, set())) for name, columns in snapshot.maps.items()}
            self._runs[run] = maps
        made = {name: maps[name].change(columns, key) for name, columns in snapshot.maps.items()}
        rows = {name: change for name, change in made.items() if change is not None}
        changes = Changes(key=key, rows=rows, **{name: getattr(snapshot, name) for name in _SHARED})
        if self._keeps:
            self._last[run] = changes
        if self._changed is not None:
            for name in rows:
                self._changed(run, name, maps[name].moved)
        return changes


@dataclass(frozen=True, slots=True)
class Moved:
    """How the rows of a map changed, as columns of numbers: the removed rows; the current values of remaining rows that
    changed, and what their integers gained (signed); and the new rows. anew: the new rows are all rows.
    """

    gone: Mapping[str, Array]
    stayed: Mapping[str, Array]
    gains: Mapping[str, Array]
    born: Mapping[str, Array]
    anew: bool


def _value_columns(views: Iterable[ViewInfo]) -> dict[str, set[str]]:
    values: dict[str, set[str]] = {}
    for view in views:
        values.setdefault(view.map, set()).update(column.field for column in view.columns if column.role != "key")
        if view.show in ("histogram", "stacks"):
            values[view.map].add(view.count)
    return values


class _Written:
    """What was written of one map. values: the columns that may change in an existing row."""

    def __init__(self, columns: Columns, values: set[str]) -> None:
        dtypes = {name: column.dtype for name, column in columns.items()}
        self._words = {name: Vocabulary() for name, column in columns.items() if column.labels is not None}
        arrays = {name: np.empty(0, raw(np.dtype(dtype))) for name, dtype in dtypes.items()}
        self._rows = Rows(dtypes, arrays, {})
        self._keys = [name for name in columns if name not in values] or list(columns)
        self._values = [name for name in columns if name not in self._keys]
        self.moved = Moved({}, {}, {}, {}, True)  # by the last change
        self._before: list[Array] = []  # the keys, in the order in which they came
        self._repeated = False  # whether several rows have the same
        self._at = np.empty(0, np.intp)  # the rows they have
        self._in_order = True  # whether those are 0, 1, 2, …

    def fits(self, columns: Columns) -> bool:
        """Whether these columns can be written as a change, without too many unused labels."""
        same = {name: column.dtype for name, column in columns.items()} == self._rows.dtypes
        if not same or list(columns) != list(self._rows.dtypes):
            return False
        if any((columns[name].labels is not None) != (name in self._words) for name in columns):
            return False
        return all(len(words.labels) <= 2 * self._rows.count + _SPARE for words in self._words.values())

    def still(self) -> Rows:
        """A copy of the current rows that later changes don't affect; new labels are added."""
        labels = {name: words.labels for name, words in self._words.items()}
        return Rows(self._rows.dtypes, dict(self._rows.arrays), labels)

    def change(self, columns: Columns, key: bool) -> RowChanges | None:
        """The change from what was last written to these columns; None if nothing was written."""
        known = {name: len(words.labels) for name, words in self._words.items()}
        arrays = {name: self._numbers(name, column) for name, column in columns.items()}
        gone, at, added = self._place([arrays[name] for name in self._keys])
        if at is not self._at:
            self._in_order = np.array_equal(at, np.arange(self._rows.count))
        same = self._in_order  # the very rows that were there, in their order
        stay = at[:0] if same else np.flatnonzero(at >= 0)
        born = {name: array[added] for name, array in arrays.items()} if len(added) or key else {}
        left = {name: array[gone] for name, array in self._rows.arrays.items()}
        self._rows.remove(gone)
        gains: dict[str, Array] = {}
        changed: list[Array] = []
        now: dict[str, Array] = {}
        for name in self._values:
            before = self._rows.arrays[name]
            if same:
                now[name] = arrays[name]
            else:
                now[name] = before.copy()
                now[name][at[stay]] = arrays[name][stay]
            differs = np.flatnonzero(now[name] != before)
            if len(differs):
                changed.append(differs)
                gains[name] = before
        rows = united(changed, self._rows.count)
        for name, before in gains.items():
            old, new = before[rows], now[name][rows]
            gains[name] = new - old if adds(self._rows.dtypes[name]) else new
            self._rows.put(name, now[name])
        stayed = {name: array[rows] for name, array in self._rows.arrays.items()}
        signed = {name: self._signed(name, gain) for name, gain in gains.items()}
        self.moved = Moved(left, stayed, signed, born, key)
        self._rows.append(born)
        if not same:
            at[added] = np.arange(self._rows.count - len(added), self._rows.count)
            self._at = at
            self._in_order = np.array_equal(at, np.arange(self._rows.count))
        if not (key or born or gains or len(gone)):
            return None
        fresh = {name: words.labels[known[name] :] for name, words in self._words.items()}
        return RowChanges(
            types=dict(self._rows.dtypes) if key else {},
            labels={name: labels for name, labels in fresh.items() if labels or key},
            gone=as_gaps(gone),
            at=as_gaps(rows),
            gains={name: packed(gain) for name, gain in signed.items()},
            born={name: packed(array) for name, array in born.items()},
        )

    def _signed(self, name: str, gain: Array) -> Array:
        return gain.view(f"<i{gain.itemsize}") if adds(self._rows.dtypes[name]) else gain

    def _numbers(self, name: str, column: Column) -> Array:
        array = np.frombuffer(column.data, raw(np.dtype(column.dtype)))
        if column.labels is None:
            return array
        return self._words[name].translate(array, column.labels).astype(CODES)

    def _place(self, keys: list[Array]) -> tuple[Array, Array, Array]:
        """(removed rows, for each key its row after the removal or -1, keys that are new)."""
        none = np.empty(0, np.intp)
        if len(keys) == len(self._before) and all(map(np.array_equal, keys, self._before)):
            return none, self._at, none
        self._before = keys
        old = [self._rows.arrays[name] for name in self._keys]
        repeated, self._repeated = self._repeated, _repeated(keys)  # the old ones came as keys the last time
        if repeated or self._repeated:
            old, keys = [*old, _repeats(old)], [*keys, _repeats(keys)]
        at = align(old, keys) if keys else none
        stays = np.zeros(self._rows.count, bool)
        stays[at[at >= 0]] = True
        moved = np.where(at >= 0, (np.cumsum(stays) - 1)[at] if len(stays) else -1, -1)
        return np.flatnonzero(~stays), moved, np.flatnonzero(at < 0)


def _repeated(keys: list[Array]) -> bool:
    """Whether rows have equal keys."""
    codes = np.sort(encode(keys)) if keys else np.empty(0)
    return bool((codes[1:] == codes[:-1]).any())


def _repeats(keys: list[Array]) -> Array:
    """How often each row's key occurred before it, because rows may have equal keys."""
    codes = encode(keys)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))[: len(codes)]
    repeats = np.empty(len(codes), np.uint32)
    repeats[order] = np.arange(len(codes)) - np.repeat(first, np.diff(np.append(first, len(codes))))
    return repeats
