"""The rows of one map as both ends of a stream of changes know them (`frames.changes`), and the packing of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import ALLOWED, CODES, Array
from ebpftop.frames.messages import Column, Columns, RowChanges

_PLACES = np.dtype("<u4")
_SIZES = {
    kind: [
        (np.dtype(f"<{kind}{size}"), np.iinfo(f"{kind}{size}").min, np.iinfo(f"{kind}{size}").max)
        for size in (1, 2, 4, 8)
    ]
    for kind in "iu"
}  # types of integers, with the least and the greatest of each


@dataclass(slots=True)
class Rows:
    """One map as both ends know it: integers and floats as unsigned numbers of their size."""

    dtypes: dict[str, str]
    arrays: dict[str, Array]
    labels: dict[str, list[str]]  # of the columns of texts, all that ever came
    texts: int = 0  # bytes of the labels, if whoever reads counts them
    shown: dict[str, Column] = field(default_factory=dict)  # as they were last put together

    @property
    def count(self) -> int:
        return len(next(iter(self.arrays.values()), ()))

    def remove(self, gone: Array) -> None:
        """Remove rows."""
        if len(gone):
            self.arrays = {name: np.delete(array, gone) for name, array in self.arrays.items()}
            self.shown.clear()

    def put(self, name: str, array: Array) -> None:
        """Set a column's values, which nobody may change afterwards."""
        self.arrays[name] = array
        self.shown.pop(name, None)

    def add(self, at: Array, gains: Mapping[str, Array]) -> None:
        """Change values of some rows."""
        for name, gain in gains.items():
            array = self.arrays[name].copy()
            array[at] = array[at] + gain if adds(self.dtypes[name]) else gain
            self.put(name, array)

    def append(self, born: Mapping[str, Array]) -> None:
        """Append new rows."""
        if born:
            self.arrays = {name: np.concatenate((array, born[name])) for name, array in self.arrays.items()}
            self.shown.clear()

    def still(self) -> Rows:
        """A copy of the current rows that later changes don't affect."""
        return Rows(dict(self.dtypes), dict(self.arrays), {name: list(words) for name, words in self.labels.items()})

    def whole(self) -> RowChanges:
        """All rows, as a key change has them."""
        return RowChanges(
            types=dict(self.dtypes),
            labels={name: list(words) for name, words in self.labels.items()},
            born={name: packed(array) for name, array in self.arrays.items()},
        )

    def columns(self) -> Columns:
        for name, array in self.arrays.items():
            if name not in self.shown:
                self.shown[name] = self._column(name, array)
        return {name: self.shown[name] for name in self.arrays}

    def _column(self, name: str, array: Array) -> Column:
        if name not in self.labels:
            return Column(dtype=self.dtypes[name], data=array.tobytes())
        words = self.labels[name]
        used = np.bincount(array, minlength=len(words)) > 0
        codes = (np.cumsum(used) - 1).astype(CODES)[array]
        return Column(dtype=CODES.str, data=codes.tobytes(), labels=[words[at] for at in np.flatnonzero(used).tolist()])


@cache
def adds(dtype: str) -> bool:
    return np.dtype(dtype).kind in "iu"


def raw(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """The form in which values are compared: equal exactly if their bytes are."""
    return np.dtype(f"<u{dtype.itemsize}") if dtype.kind in "iufb" else dtype


def packed(numbers: Array) -> Column:
    """Numbers in the smallest type that holds them; texts unchanged."""
    if numbers.dtype.kind in "iu" and len(numbers):
        low, high = int(numbers.min()), int(numbers.max())
        small = next(dtype for dtype, least, most in _SIZES[numbers.dtype.kind] if least <= low and high <= most)
        if small.itemsize < numbers.dtype.itemsize:
            return Column(dtype=small.str, data=numbers.astype(small).tobytes())
    return Column(dtype=numbers.dtype.str, data=numbers.tobytes())


def unpacked(column: Column, wanted: np.dtype[np.generic]) -> Array:
    if not ALLOWED.fullmatch(column.dtype):
        raise BadFrame(f"a change has the type {column.dtype[:20]!r}")
    dtype = np.dtype(column.dtype)
    fits = dtype == wanted or (dtype.kind in "iu" and wanted.kind == "u" and dtype.itemsize <= wanted.itemsize)
    if not fits or len(column.data) % dtype.itemsize:
        raise BadFrame(f"a change has {len(column.data):,} bytes of {dtype} for {wanted}")
    return np.frombuffer(column.data, dtype).astype(wanted, copy=False)


def united(lists: Sequence[Array], count: int) -> Array:
    """Which of `count` rows are in any of several lists, ascending."""
    mask = np.zeros(count, bool)
    for each in lists:
        mask[each] = True
    return np.flatnonzero(mask)


def as_gaps(places: Array) -> Column | None:
    """Ascending row numbers, each as the distance from the previous one."""
    return packed(np.diff(places, prepend=-1).astype(_PLACES)) if len(places) else None


def from_gaps(gaps: Column | None, rows: int) -> Array:
    if gaps is None:
        return np.empty(0, np.int64)
    distances = unpacked(gaps, _PLACES).astype(np.int64)
    places = np.cumsum(distances) - 1
    if len(places) and (distances.min() < 1 or places[-1] >= rows):
        raise BadFrame(f"a change names rows beyond {rows:,}")
    return places
