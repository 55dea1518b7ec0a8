"""Finds the values of key fields that stand out in a region of a histogram: frequent inside and rare outside.

A region is a span of steps × some of the rows (those of a range of slots). Values are ranked by how much of the
question "inside or outside?" each answers: its information gain (Quinlan 1986, "Induction of Decision Trees") over the
entropy of the region, which is Theil's uncertainty coefficient.

The likelihood ratio G (Dunning 1993, "Accurate Methods for the Statistics of Surprise and Coincidence") decides whether
a difference may be chance. It uses effective counts: those divided by their design effect (`variation`). The region is
compared twice: with the rest of the same steps, and with the other steps. The level is family-wise over all values and
both comparisons (Bonferroni). The comparison with the other steps is stricter: the greatest G of all values must exceed
that of an equally long span of theirs (Westfall & Young 1993), because something is special in every span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.variation import FEW, Counts, Variation

LEVEL = 0.05  # the probability that anything is found if nothing stands out
EVENTS, SHARE = 5, 0.01  # a value must have this many events inside, and this share of them
ODDS = 2.0  # and its odds inside must be this many times its odds outside

_MANY = 10  # spans to compare with, one after the other


@dataclass(frozen=True, slots=True)
class Standout:
    """A value that stands out. dimension: its index among those searched. inside, outside: the value's shares, 0 to 1.
    gain: how much of "inside or outside?" it answers, 0 to 1. count: its events inside.
    """

    dimension: int
    value: int
    inside: float
    outside: float
    gain: float
    count: int


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Events by step and row: `counts[n]` of row `rows[n]` in step `steps[n]`, in any order. of: the number of
    steps.
    """

    steps: Array
    rows: Array
    counts: Array
    of: int


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """The steps from `first` to before `stop` × the rows in the mask `within`."""

    first: int
    stop: int
    within: Array


def standouts(cells: Cells, region: Region, dimensions: Sequence[Array], level: float = LEVEL) -> list[Standout]:
    """The values that stand out in the region, those that explain most first; empty if there are none.

    dimensions: for each, one number a row, equal for rows with the same value; negative for rows without one.
    """
    tested = [_Dimension(place, codes, cells, region) for place, codes in enumerate(dimensions)]
    tests = sum(each.tests for each in tested)
    if not tests:
        return []
    critical = NormalDist().inv_cdf(1 - level / tests)
    usual = _usual([each.elsewhere for each in tested], level)
    found = [row for each in tested for row in each.standouts(critical, max(critical, usual))]
    return sorted(found, key=lambda row: -row.gain)


def _usual(greatest: list[Array], level: float) -> float:
    """The limit that the greatest score of a span exceeds with the probability `level`, or never exceeded if there are
    too few spans.
    """
    together = np.sort(np.max(greatest, axis=0))
    return float(together[-max(1, int(level * (len(together) + 1)))]) if len(together) else -np.inf


class _Dimension:
    """One dimension. tests: their number. elsewhere: the greatest score in each window of the other steps."""

    def __init__(self, place: int, codes: Array, cells: Cells, region: Region) -> None:
        self.place = place
        values, code = np.unique(codes, return_inverse=True)
        without = int(np.count_nonzero(values < 0))
        self.values, code = values[without:], code - without
        self._inside, self._beside, self._other = _groups(cells, code, len(self.values), region)
        self._enough = _enough(self._inside.totals, self._inside.whole)
        self.elsewhere = np.zeros(0)
        self._scores = [np.full(len(self.values), -np.inf) for _ in range(2)]
        compared = 0
        if self._inside.whole and self._beside.whole:
            self._scores[0] = _same_time(self._inside, self._beside)
            compared += 1
        if self._inside.whole and self._other.whole:
            self._scores[1], self.elsewhere = _other_time(self._inside, self._other)
            compared += 1
        self.tests = compared * int(np.count_nonzero(self._enough))

    def standouts(self, beside: float, elsewhere: float) -> list[Standout]:
        """The values whose score exceeds either limit."""
        n, m = self._inside.whole, self._beside.whole + self._other.whole
        a, b = self._inside.totals, self._beside.totals + self._other.totals
        inside, outside = a / max(1, n), b / max(1, m)
        striking = inside * (1 - outside) >= ODDS * outside * (1 - inside)
        sure = (self._scores[0] > beside) | (self._scores[1] > elsewhere)
        gains = _gains(a, b, n, m)
        return [
            Standout(self.place, int(self.values[n]), float(inside[n]), float(outside[n]), float(gains[n]), int(a[n]))
            for n in np.flatnonzero(self._enough & striking & sure).tolist()
        ]


def _groups(cells: Cells, code: Array, values: int, region: Region) -> list[Counts]:
    """The counts inside, beside the region, and in the other steps."""
    during = (cells.steps >= region.first) & (cells.steps < region.stop)
    within = region.within[cells.rows]
    now, then = [(region.first, region.stop)], [(0, region.first), (region.stop, cells.of)]
    return [
        Counts.of((cells.steps[mask], code[cells.rows[mask]], cells.counts[mask]), values, cells.of, stretches)
        for mask, stretches in ((during & within, now), (during & ~within, now), (~during, then))
    ]


def _enough(counts: Array, whole: Array | float) -> Array:
    return (counts >= EVENTS) & (counts >= SHARE * whole)


def _same_time(inside: Counts, beside: Counts) -> Array:
    """Scores of the region against the rest of its steps."""
    length = inside.block_length()
    mine, others = inside.variation(length), beside.variation(length)
    return _scores((inside.totals, inside.whole, mine), (beside.totals, beside.whole, others))


def _other_time(inside: Counts, other: Counts) -> tuple[Array, Array]:
    """Scores of the region against the other steps; and the greatest score of each window there against the same
    steps.
    """
    length = max(inside.block_length(), other.block_length())
    mine, others = inside.variation(length), other.variation(length)
    if mine.number < FEW:
        as_long = other.variation(min(inside.steps, max(1, other.steps // FEW)))
        mine = replace(mine, spread=max(mine.spread, as_long.spread))
    rest = (other.totals, other.whole, others)
    scores = _scores((inside.totals, inside.whole, mine), rest)
    values, counts, sizes = other.windows(min(inside.steps, max(1, other.steps // _MANY)))
    sizes = sizes[:, np.newaxis]
    alike = replace(mine, size=sizes * mine.size / inside.whole, effects=np.ones(len(values)))
    others = replace(others, effects=np.ones(len(values)))  # their effects would include the window's own
    in_windows = _scores((counts, sizes, alike), (other.totals[values] - counts, other.whole - sizes, others))
    in_windows[~_enough(counts, sizes)] = -np.inf
    return scores, in_windows.max(axis=1, initial=-np.inf)


_Side = tuple[Array, Array | float, Variation]  # events of each value, of all values, and their variation


def _scores(inside: _Side, outside: _Side) -> Array:
    """√G of effective counts; negative if a value is rarer inside."""
    (a, n, mine), (b, m, others) = inside, outside
    share = (a + b) / np.maximum(n + m, 1)
    effect, other_effect = mine.effect(share), others.effect(share)
    a, n, b, m = a / effect, n / effect, b / other_effect, m / other_effect
    whole = np.maximum(n + m, 1e-9)
    g = _part(a, n * (a + b) / whole) + _part(b, m * (a + b) / whole)
    g += _part(n - a, n * (whole - a - b) / whole) + _part(m - b, m * (whole - a - b) / whole)
    return np.asarray(np.sign(a * m - b * n) * np.sqrt(np.maximum(2 * g, 0)))


def _part(observed: Array, expected: Array) -> Array:
    """Observed × ln(observed / expected); 0 if nothing was observed."""
    some = (observed > 0) & (expected > 0)
    return np.where(some, observed * np.log(np.where(some, observed, 1) / np.where(some, expected, 1)), 0)


def _gains(inside: Array, outside: Array, n: float, m: float) -> Array:
    """The uncertainty coefficient of inside or outside, given whether an event has the value."""
    before = _entropy(np.array(n / (n + m)))
    mine = inside + outside
    rest = n + m - mine
    with_it = _entropy(np.divide(inside, mine, out=np.zeros_like(inside), where=mine > 0))
    without = _entropy(np.divide(n - inside, rest, out=np.zeros_like(inside), where=rest > 0))
    return np.asarray((before - (mine * with_it + rest * without) / (n + m)) / before)


def _entropy(share: Array) -> Array:
    """The entropy of a choice between two, in bits."""
    parts = [np.where(p > 0, p * np.log2(np.where(p > 0, p, 1)), 0) for p in (share, 1 - share)]
    return -(parts[0] + parts[1])
