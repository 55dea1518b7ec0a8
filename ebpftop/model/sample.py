"""The previous sample, so that only changes need to be looked at in the current one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.rows.keys import encode

MOST_BORN = 64  # rows; more are looked up faster together with all others


class Sample:
    """The columns of a sample with one row per key, and for each row its place among all ever seen."""

    def __init__(self, columns: Mapping[str, Values], places: Array) -> None:
        self.columns, self.places = columns, places

    def goes_on(self, columns: Mapping[str, Values], keys: Sequence[str], others: Sequence[str]) -> bool:
        """Whether the next sample has the same rows, with at most a few new ones after them, and comparable columns."""
        rows = len(self.places)
        if not all(_begins_with(columns[name], self.columns[name], rows) for name in keys):
            return False
        born = len(columns[keys[0]]) - rows if keys else 0
        comparable = all(_comparable(columns[name], self.columns[name], rows + born) for name in others)
        return 0 <= born <= MOST_BORN and comparable

    def changed(self, name: str, values: Values) -> Array:
        """The rows in which a column of the next sample has changed, including new rows."""
        before, now = self.columns[name], values
        if isinstance(before, Labels) and isinstance(now, Labels):
            before, now = before.codes, now.codes
        assert isinstance(before, np.ndarray)
        assert isinstance(now, np.ndarray)
        rows = len(before)
        return np.concatenate((np.flatnonzero(now[:rows] != before), np.arange(rows, len(now))))

    def shrank(self, name: str, values: Values) -> bool:
        """Whether a number of the next sample is smaller."""
        before = self.columns[name]
        if not isinstance(before, np.ndarray) or not isinstance(values, np.ndarray) or same_memory(values, before):
            return False
        return bool((values[: len(before)] < before).any())


def _begins_with(values: Values, before: Values, rows: int) -> bool:
    if isinstance(values, Labels) and isinstance(before, Labels):
        same = values.labels is before.labels or values.labels[: len(before.labels)] == before.labels
        return same and np.array_equal(values.codes[:rows], before.codes)
    if isinstance(values, Labels) or isinstance(before, Labels) or values.dtype != before.dtype:
        return False
    return same_memory(values, before) or np.array_equal(values[:rows], before)


def same_memory(one: Array, other: Array) -> bool:
    """Whether both are the same part of the same memory: then a column didn't change and need not be compared."""
    return one.ctypes.data == other.ctypes.data and one.dtype == other.dtype and len(one) == len(other)


def _comparable(values: Values, before: Values, rows: int) -> bool:
    if isinstance(values, Labels) and isinstance(before, Labels):
        same = values.labels is before.labels or values.labels[: len(before.labels)] == before.labels
        return same and len(values) == rows
    if isinstance(values, Labels) or isinstance(before, Labels):
        return False
    return values.dtype == before.dtype and values.dtype.kind != "S" and len(values) == rows


def are_new(keys: Sequence[Array], known: Sequence[Array]) -> bool:
    """Whether a few keys are distinct, and none of them is known."""
    if len(np.unique(encode(keys))) < len(keys[0]):
        return False
    for row in range(len(keys[0])):
        same = known[0] == keys[0][row]
        for column, key in zip(known[1:], keys[1:], strict=True):
            same &= column == key[row]
        if same.any():
            return False
    return True
