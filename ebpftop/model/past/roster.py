"""The rows of one view's past: a number per row, and its key."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.messages import FOLDED
from ebpftop.rows.keys import encode

_WORD, _COLUMN = 120, 256  # bytes of a text's places in a list and a dict; of an array and what refers to it
_FOLD = 200  # bytes of what is remembered of a fold, and as much for each key field


class Words:
    """Texts as numbers."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.bytes = 0
        self._numbers: dict[str, int] = {}

    def number(self, label: str) -> int:
        known = self._numbers.get(label)
        if known is None:
            known = self._numbers[label] = len(self.labels)
            self.labels.append(label)
            self.bytes += sys.getsizeof(label) + _WORD
        return known

    def numbers(self, values: Labels) -> Array:
        """The number of each row's text. The time depends on the number of rows, not of labels."""
        used, at = np.unique(values.codes, return_inverse=True)
        return np.array([self.number(values.labels[code]) for code in used.tolist()], np.int64)[at]

    def find(self, label: str) -> int:
        """The number of a text, -1 if it isn't known."""
        return self._numbers.get(label, -1)


class Roster:
    """Rows in ascending order of their numbers, which are never reused.

    process: the key field with identities. kept: key fields of few values, which even the last fold keeps. `others`:
    rows that stand for several with different other key fields; there those fields are 0 or "".
    """

    def __init__(self, fields: Sequence[str], process: str | None = None, kept: Sequence[str] = ()) -> None:
        self.fields, self.process, self.kept = tuple(fields), process, tuple(kept)
        self.doubtful = False  # whether two rows may have one key
        self._next = 0
        self._rows = 0
        self._numbers = np.zeros(0, np.int64)
        self._others = np.zeros(0, bool)
        self._columns: dict[str, Array] = {}
        self._words: dict[str, Words] = {}
        self._folds: dict[tuple[object, ...], int] = {}

    def __len__(self) -> int:
        return self._rows

    @property
    def bytes(self) -> int:
        arrays = (self._numbers, self._others, *self._columns.values())
        folds = len(self._folds) * _FOLD * (1 + len(self.fields))
        return sum(each.nbytes + _COLUMN for each in arrays) + sum(each.bytes for each in self._words.values()) + folds

    @property
    def numbers(self) -> Array:
        return self._numbers[: self._rows]

    @property
    def others(self) -> Array:
        return self._others[: self._rows]

    def column(self, field: str) -> Array:
        """A key field as numbers, equal where the keys are."""
        return self._columns[field][: self._rows] if field in self._columns else np.zeros(self._rows, np.int64)

    def values(self, field: str, rows: Array) -> Values:
        """A key field of some rows, by their places."""
        numbers = self.column(field)[rows]
        return Labels(numbers, self._words[field].labels) if field in self._words else numbers

    def places(self, numbers: Array) -> Array:
        """The places of known rows."""
        return np.searchsorted(self.numbers, numbers)

    def knows(self, numbers: Array) -> Array:
        """A mask of these numbers: those that belong to rows."""
        if not self._rows:
            return np.zeros(len(numbers), bool)
        return np.asarray(self.numbers[np.minimum(self.places(numbers), self._rows - 1)] == numbers)

    def where(self, key: Mapping[str, int | str]) -> Array:
        """A mask of the rows whose key fields have these values; rows that stand for others never do."""
        mask = ~self.others
        for field, value in key.items():
            if field in self._words or isinstance(value, str):
                value = self._words[field].find(str(value)) if field in self._words else -1
            mask &= self.column(field) == value
        return mask

    def owners(self, rows: Array) -> Array | None:
        """A number for each of these rows, equal if they differ only in `kept` fields; None if rows always do."""
        columns = [self.column(field)[rows] for field in self.fields if field not in self.kept]
        return np.unique(encode(columns), return_inverse=True)[1] if columns else None

    def learn(self, keys: Mapping[str, Values]) -> Array:
        """Number new rows; without key fields there is only one."""
        rows = len(next(iter(keys.values()))) if self.fields else 1
        for field in self.fields:
            values = keys[field]
            if isinstance(values, Labels) and field not in self._words:
                self._words[field] = Words()
        columns = {field: self._numbered(field, keys[field]) for field in self.fields}
        return self._append(rows, columns, other=False)

    def _numbered(self, field: str, values: Values) -> Array:
        return self._words[field].numbers(values) if isinstance(values, Labels) else values

    def _append(self, rows: int, columns: Mapping[str, Array], *, other: bool) -> Array:
        numbers = np.arange(self._next, self._next + rows)
        self._next += rows
        self._numbers = _extended(self._numbers, self._rows, numbers)
        self._others = _extended(self._others, self._rows, np.full(rows, other))
        for field, values in columns.items():
            self._columns[field] = _extended(self._columns.get(field, values[:0]), self._rows, values)
        self._rows += rows
        return numbers

    def fold(self, rows: Array, *, fully: bool) -> Array:
        """For each row, by its place, the number of the row that it is folded into: the `FOLDED` row with the same
        other key fields or, if `fully`, the one for all with the same `kept` fields.
        """
        wiped = [field for field in self.fields if field not in self.kept] if fully else [self.process]
        columns = {}
        for field in self.fields:
            column = self.column(field)[rows]
            if field in wiped:
                words = self._words.get(field)
                nothing = FOLDED if words is None else words.number("")
                column = np.full(len(rows), nothing, column.dtype)
            columns[field] = column
        if not self.fields:
            return self.numbers[rows]
        _, first, group = np.unique(encode(list(columns.values())), return_index=True, return_inverse=True)
        into = []
        for at in first.tolist():
            key = (fully, *(column[at].item() for column in columns.values()))
            if key not in self._folds:
                self.doubtful = True
                one = {field: column[at : at + 1] for field, column in columns.items()}
                self._folds[key] = int(self._append(1, one, other=fully)[0])
            into.append(self._folds[key])
        return np.array(into, np.int64)[group]

    def forget(self, numbers: Iterable[Array]) -> None:
        """Keep only the rows with these numbers, each array of which is ascending."""
        keep = np.zeros(self._rows, bool)
        for each in numbers:
            keep[self.places(each)] = True
        if keep.all():
            return
        self.doubtful = True
        self._numbers, self._others = self.numbers[keep], self.others[keep]
        self._columns = {field: self.column(field)[keep] for field in self._columns}
        self._rows = len(self._numbers)
        for field, words in self._words.items():
            fresh = Words()
            self._columns[field] = fresh.numbers(Labels(self._columns[field], words.labels))
            self._words[field] = fresh
        self._folds = {}

    def equal(self, rows: Array) -> Array:
        """For each of these rows, the place of the first row with the same key."""
        if not self.doubtful or not self.fields or not len(rows):
            return rows
        columns = [self.others[rows].astype(np.int64), *(self.column(field)[rows] for field in self.fields)]
        _, first, group = np.unique(encode(columns), return_index=True, return_inverse=True)
        return rows[first][group]


def _extended(column: Array, rows: int, more: Array) -> Array:
    """Append `more` after so many rows, in place if there is room."""
    wanted = rows + len(more)
    if len(column) < wanted or column.dtype != more.dtype:
        room = wanted if not rows else max(wanted, rows + rows // 4 + 8)
        wider = np.zeros(room, more.dtype)
        wider[:rows] = column[:rows]
        column = wider
    column[rows:wanted] = more
    return column
