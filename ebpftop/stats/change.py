"""Whether numbers of many rows differ between two spans by more than they vary anyway: block permutation.

Each row is a ratio: counts over seconds, or values above a limit over all values. Steps, brought to one length, are put
into blocks as long as they are correlated, and the blocks are dealt anew to both spans: what the difference then is, is
chance. As many rows are asked at once, each is compared with the greatest difference of all rows in each deal (Westfall
& Young 1993, "Resampling-Based Multiple Testing", single step). Differences are divided by their standard error in each
deal too, as spans may vary unequally (Chung & Romano 2013, "Exact and asymptotically robust permutation tests").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.correlation import Correlation, blocks

LEVEL = 0.05  # the probability that any row is called changed where none is
FEW = 5  # blocks; fewer in one span say too little of how much it varies
DEALS = 400
UNITS = 120  # a span has no more of them, as longer ones serve as well
_AT_ONCE = 256  # rows, so that memory is bounded
_SEED = 0x5EED
_UNEQUAL = 1.5  # times as long is another length
_TYPICAL = 0.9  # of the steps of a span are no longer than its typical one


def one_length(a: Array, b: Array) -> tuple[Array, Array]:
    """The unit that each step of two spans belongs to, so that all units of both are about equally long.

    a, b: how long each step lasted, any unit of time.
    """
    lengths = [each for each in (a, b) if len(each)]
    longest = max((float(np.quantile(each, _TYPICAL)) for each in lengths), default=0.0)
    shortest = min((float(np.quantile(each, 1 - _TYPICAL)) for each in lengths), default=0.0)
    most = max((float(each.sum()) / UNITS for each in lengths), default=0.0)
    if longest <= _UNEQUAL * shortest and max(map(len, lengths), default=0) <= UNITS:
        return np.arange(len(a)), np.arange(len(b))
    unit = max(longest, most, 1e-9)
    return _units(a, unit), _units(b, unit)


def _units(lengths: Array, unit: float) -> Array:
    """Steps of unequal length as units of about one; what is left at the end belongs to the last one."""
    if not len(lengths):
        return np.zeros(0, np.int64)
    ends = np.cumsum(lengths)
    number = max(1, int(ends[-1] / unit + 0.5))
    place = ((ends - lengths / 2) / (ends[-1] / number)).astype(np.int64)
    return np.unique(np.minimum(place, number - 1), return_inverse=True)[1]


@dataclass(frozen=True, eq=False, slots=True)
class Side:
    """One span: parts and wholes, (units × rows); the row's number is the sum of parts over that of wholes."""

    parts: Array
    wholes: Array


def chances(a: Side, b: Side, deals: int = DEALS) -> Array | None:
    """For each row, how probable so great a difference of any row is where there is none; 1 where nothing differs.
    None where the spans are too short to tell. The same every time.
    """
    ratio = _ratio(np.concatenate((a.parts, b.parts)), np.concatenate((a.wholes, b.wholes)))
    before, after = a.parts - ratio * a.wholes, b.parts - ratio * b.wholes
    correlation = Correlation.of([before, after], FEW)
    number = [len(each) // correlation.block for each in (before, after)]
    if min(number) < FEW:
        return None
    scores = np.concatenate([_means(each, correlation.block) for each in (before, after)])
    scale = np.sqrt((scores**2).mean(axis=0))
    scores /= np.where(scale > 0, scale, 1)
    first = np.zeros((1, len(scores)))
    first[0, : number[0]] = 1
    found = np.abs(_studentised(first, scores)[0]) / np.sqrt(correlation.inflation)
    order = np.random.default_rng(_SEED).random((deals, len(scores))).argsort(axis=1)
    dealt, greatest = (order < number[0]).astype(np.float64), np.zeros(deals)
    for at in range(0, scores.shape[1], _AT_ONCE):
        differences = np.abs(_studentised(dealt, scores[:, at : at + _AT_ONCE]))
        np.maximum(greatest, differences.max(axis=1), out=greatest)
    greatest.sort()
    exceeded = deals - np.searchsorted(greatest, found * (1 - 1e-9))
    return np.where(found > 0, (1 + exceeded) / (1 + deals), 1.0)


def _ratio(parts: Array, wholes: Array) -> Array:
    whole = wholes.sum(axis=0)
    return np.asarray(parts.sum(axis=0) / np.where(whole > 0, whole, 1))


def _means(units: Array, length: int) -> Array:
    """Of blocks of about so many units."""
    block = blocks(len(units), length)
    sizes = np.bincount(block)
    return np.asarray(np.add.reduceat(units, np.cumsum(sizes) - sizes, axis=0) / sizes[:, np.newaxis])


def _studentised(chosen: Array, scores: Array) -> Array:
    """Welch's t of the chosen blocks against the others, (deals × rows). chosen: 1 or 0, (deals × blocks)."""
    n = chosen[0].sum()
    m = len(scores) - n
    sums, squares = chosen @ scores, chosen @ scores**2
    total, total_squares = scores.sum(axis=0), (scores**2).sum(axis=0)
    mine, theirs = sums / n, (total - sums) / m
    variance = (squares / n - mine**2) / (n - 1) + ((total_squares - squares) / m - theirs**2) / (m - 1)
    return np.asarray((mine - theirs) / np.sqrt(np.maximum(variance, 1e-12)))
