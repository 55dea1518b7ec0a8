"""Tests whether numbers of many rows differ between two spans by more than their usual variation: block permutation.

Each row is a ratio: counts over seconds, or values above a limit over all values. Steps are first converted to one
length, then grouped into blocks as long as the steps are correlated. The blocks are dealt anew to both spans; the
resulting differences show what chance produces. Because many rows are tested at once, each is compared with the
greatest difference of all rows in each deal (Westfall & Young 1993, "Resampling-Based Multiple Testing", single step).
Differences are divided by their standard error in each deal too, because spans may vary unequally (Chung & Romano 2013,
"Exact and asymptotically robust permutation tests").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.correlation import Correlation, blocks

LEVEL = 0.05  # the probability that any row is reported as changed if none is
FEW = 5  # blocks; with fewer in one span, its variation can't be estimated
DEALS = 400
UNITS = 120  # the maximum of a span, because longer ones work as well
_AT_ONCE = 256  # rows, to limit memory
_SEED = 0x5EED
_UNEQUAL = 1.5  # lengths count as different if one is this many times the other
_TYPICAL = 0.9  # of the steps of a span are no longer than its typical step


def one_length(a: Array, b: Array) -> tuple[Array, Array]:
    """The unit to which each step of two spans belongs, such that all units of both are about equally long.

    a, b: how long each step lasted, in any unit of time.
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
    """Groups steps of unequal length into units of about this length; the rest at the end belongs to the last unit."""
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
    """For each row, the probability that any row shows so great a difference by chance; 1 if nothing differs. None if
    the spans are too short for a test. The result is deterministic.
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
    """The means of blocks of about this many units."""
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
