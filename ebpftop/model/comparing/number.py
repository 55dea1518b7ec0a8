"""A number of a comparison's rows, before and after."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.stats.change import LEVEL

Pair = tuple[Array, Array]


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """A number of each row before and after: lo <= v < hi for a percentile, otherwise lo == hi; float64. NaN is
    missing: a percentile of nothing, or a rate of a process that didn't exist then; 0 was counted.

    rate: whether it is the field's gain per second. gauge: whether it is a gauge, whose changes aren't judged. chance:
    the probability of so great a change of any row of the view if nothing changed; None if the spans are too short to
    tell.
    """

    name: str
    title: str
    unit: str
    rate: bool
    before: Pair
    after: Pair
    chance: Array | None
    gauge: bool = False

    @property
    def differs(self) -> Array:
        same = (self.before[0] == self.after[0]) | (np.isnan(self.before[0]) & np.isnan(self.after[0]))
        return np.asarray(~same)

    @property
    def changed(self) -> Array:
        """A mask: where a change exceeds normal variation."""
        if self.chance is None:
            return np.zeros(len(self.before[0]), bool)
        return np.asarray((self.chance <= LEVEL) & self.differs)

    @property
    def change(self) -> Array:
        """After minus before, of the middles of bounds; missing values count as 0."""
        before, after = (np.nan_to_num((lo + hi) / 2) for lo, hi in (self.before, self.after))
        return np.asarray(after - before)

    def take(self, rows: Array) -> Number:
        """Some rows, by their indices."""
        chance = None if self.chance is None else self.chance[rows]
        before, after = ((lo[rows], hi[rows]) for lo, hi in (self.before, self.after))
        return replace(self, before=before, after=after, chance=chance)
