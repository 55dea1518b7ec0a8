"""Encodes row keys of any number of columns as single integers: equal keys get equal numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Keys = Array | Sequence[Array]  # one column, or several of equal length: one key a row
_ROOM = 1 << 64


def columns_of(keys: Keys) -> list[Array]:
    return [keys] if isinstance(keys, np.ndarray) else list(keys)


def rows_of(keys: Keys) -> int:
    """The number of rows in the keys. Raises ValueError for no column, or for columns of unequal length."""
    lengths = {len(column) for column in columns_of(keys)}
    if len(lengths) != 1:
        raise ValueError(f"key columns have {sorted(lengths)} rows")
    return lengths.pop()


def encode(keys: Keys) -> npt.NDArray[np.uint64]:
    """One number a row; numbers follow the order of the keys, first column first.

    Integer columns that fit into 64 bits together are packed without sorting.
    """
    codes, room = np.zeros(rows_of(keys), np.uint64), 1
    for column in columns_of(keys):
        digits, span = _digits(column)
        if room * span > _ROOM:
            codes, room = _dense(codes)
        if room * span > _ROOM:
            digits, span = _dense(column)
        codes, room = codes * np.uint64(span % _ROOM) + digits, room * span
    return codes


def _digits(column: Array) -> tuple[npt.NDArray[np.uint64], int]:
    """Each value minus the smallest one, and the number of possible values."""
    if column.dtype.kind not in "iu" or not len(column):
        return _dense(column)
    low, high = int(column.min()), int(column.max())
    wide = np.int64 if column.dtype.kind == "i" else np.uint64
    return (column.astype(wide) - wide(low)).astype(np.uint64), high - low + 1


def _dense(column: Array) -> tuple[npt.NDArray[np.uint64], int]:
    """Each value's rank among the distinct ones, and the number of distinct values."""
    distinct, places = np.unique(column, return_inverse=True)
    return places.astype(np.uint64), max(1, len(distinct))


class Vocabulary:
    """Numbers for labels that stay the same from snapshot to snapshot.

    A dictionary column's codes have a meaning only with its own labels; translated, they can serve as keys.
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self._numbers: dict[str, int] = {}
        self._last: tuple[Sequence[str], npt.NDArray[np.intp]] = [], np.zeros(0, np.intp)

    def translate(self, codes: Array, labels: Sequence[str]) -> npt.NDArray[np.intp]:
        """One number a row: an index into `self.labels`, which only grows."""
        if labels != self._last[0]:  # usually they are the previous snapshot's
            self._last = labels, self._numbered(labels)
        return self._last[1][codes]

    def _numbered(self, labels: Sequence[str]) -> npt.NDArray[np.intp]:
        for label in labels:
            if label not in self._numbers:
                self._numbers[label] = len(self.labels)
                self.labels.append(label)
        return np.array([self._numbers[label] for label in labels], np.intp)
