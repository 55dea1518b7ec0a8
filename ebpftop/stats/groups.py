"""Very many histograms at once (one a process, a device, a file), without a Python loop over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebpftop.rows.keys import Array, Keys, columns_of, encode, rows_of
from ebpftop.stats.histogram import Histogram, ranks
from ebpftop.stats.slots import U64, bounds_of, checked


@dataclass(frozen=True, eq=False, slots=True)
class Groups:
    """Histograms by key. `keys` are the columns of the distinct keys, ascending; all arrays follow their order."""

    keys: tuple[Array, ...]
    totals: U64  # values in each group
    _starts: npt.NDArray[np.intp]  # first row of each group below, and the end
    _slots: npt.NDArray[np.intp]  # ascending within a group
    _running: U64  # sum of all counts up to and with this row, over all groups

    def __len__(self) -> int:
        return len(self.totals)

    def quantiles(self, q: float) -> tuple[U64, U64]:
        """(lo, hi) arrays: bounds of each group's quantile (as `Histogram.quantile`); 0, 0 for a group without values.

        hi of the last slot is 2**64 - 1.
        """
        if not len(self):
            return np.empty(0, np.uint64), np.empty(0, np.uint64)
        before = self._running[self._starts[1:] - 1] - self.totals
        rows = np.searchsorted(self._running, before + ranks(self.totals, q))
        lo, hi = bounds_of(self._slots[rows])
        none = self.totals == 0
        lo[none] = hi[none] = 0
        return lo, hi

    def sums(self) -> npt.NDArray[np.float64]:
        """The estimated sum of the values of each group, with each value taken as the middle of its bucket: accurate to
        1/16.
        """
        if not len(self):
            return np.empty(0)
        lo, hi = bounds_of(self._slots)
        counts = np.diff(self._running, prepend=np.uint64(0))
        middles = (lo.astype(np.float64) + (hi - np.uint64(1)).astype(np.float64)) / 2
        sums: npt.NDArray[np.float64] = np.add.reduceat(middles * counts, self._starts[:-1])
        return sums

    def merged(self, into: npt.NDArray[np.intp], of: npt.NDArray[np.intp] | None = None) -> Groups:
        """Merged groups: each group goes into the one with the number in `into`; each of these has at least one. of:
        which groups to merge, if not each of them once.
        """
        counts = np.diff(self._running, prepend=np.uint64(0))
        if of is None:
            return group(np.repeat(into, np.diff(self._starts)), self._slots, counts)
        lengths = np.diff(self._starts)[of]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = np.repeat(self._starts[:-1][of], lengths) + within
        return group(np.repeat(into, lengths), self._slots[rows], counts[rows])

    def histogram(self, group: int) -> Histogram:
        """The histogram of one group, by its index."""
        rows = slice(self._starts[group], self._starts[group + 1])
        before = self._running[rows.stop - 1] - self.totals[group]
        return Histogram.of(self._slots[rows], np.diff(self._running[rows], prepend=before))


def group(keys: Keys, slots: npt.ArrayLike, counts: npt.ArrayLike) -> Groups:
    """Histograms of rows (key, slot, count) in any order; rows with the same key and slot are summed.

    Raises ValueError for an impossible slot, and for lengths that differ.
    """
    slots, counts = checked(slots), np.asarray(counts, np.uint64)
    if not rows_of(keys) == len(slots) == len(counts):
        raise ValueError(f"{rows_of(keys)} keys, {len(slots)} slots, {len(counts)} counts")
    codes = encode(keys)
    order = np.argsort(encode((codes, slots)))
    codes, slots, running = codes[order], slots[order], np.cumsum(counts[order], dtype=np.uint64)
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.empty(0, np.intp)
    ends = np.append(first[1:], len(codes)) if len(codes) else first
    totals = np.diff(running[ends - 1], prepend=np.uint64(0))
    return Groups(
        tuple(column[order[first]] for column in columns_of(keys)), totals, np.append(first, len(codes)), slots, running
    )
