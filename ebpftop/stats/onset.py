"""Finds when a rate was raised: the stretch of steps that differs most from all others, tested against chance.

The statistic is the largest Student's t of a stretch against the rest (the epidemic alternative of Levin & Kline 1985,
"The cusum test of homogeneity with an application in spontaneous abortion epidemiology"). It is computed from square
roots of rates, because counts vary with their size. Correlated steps count as fewer, by the correlation time of the
residuals after both means are subtracted. Chance is corrected for all stretches that can be chosen (Bonferroni). The
tail of t is Wallace's (1959, "Bounds on normal approximations to Student's and the chi-square distributions").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ebpftop.rows.keys import Array
from ebpftop.stats.correlation import block_length

STEPS = 60  # maximum number of steps that are examined; in longer series, several are combined into one
LEAST = 3  # steps of a stretch, and of the rest: fewer are no evidence
FEW = 8  # steps; with fewer, a stretch can't be distinguished from the rest
_SHARE = 0.08  # minimum share of all steps in a stretch
_BLOCK = 2  # correlation times in a block


@dataclass(frozen=True, slots=True)
class Raised:
    """Steps `first` to before `stop`. chance: the probability, 0 to 1, of so great a difference by chance."""

    first: int
    stop: int
    chance: float


def raised(weights: Array, lasted: Array) -> Raised | None:
    """The stretch of steps with the greatest gain a time; None if there are too few steps or nothing varies.

    weights: the gain in each step. lasted: how long each took, in any unit, positive.
    """
    unit = np.arange(len(weights)) // max(1, -(-len(weights) // STEPS))
    edges = np.flatnonzero(np.diff(unit, prepend=-1))
    if len(edges) < FEW:
        return None
    rates = np.sqrt(np.add.reduceat(weights, edges) / np.add.reduceat(lasted, edges))
    if rates.min() == rates.max():
        return None
    t, first, stop = _greatest(rates)
    rest = [rates[first:stop], np.concatenate((rates[:first], rates[stop:]))]
    time = max(1.0, block_length([each[:, np.newaxis] for each in rest]) / _BLOCK)
    alone = max(3.0, len(rates) / time)
    chance = min(1.0, alone**2 / 2 * _tail(t / math.sqrt(time), alone - 2))
    ends = [*edges.tolist(), len(weights)]
    return Raised(ends[first], ends[stop], chance)


def _greatest(rates: Array) -> tuple[float, int, int]:
    """The largest t of any stretch, and that stretch."""
    steps = len(rates)
    least = max(LEAST, int(_SHARE * steps))
    sums = np.concatenate(([0.0], rates.cumsum()))
    whole, squares = float(sums[-1]), float((rates**2).sum())
    best = (-math.inf, 0, least)
    for length in range(least, steps - least + 1):
        inside = sums[length:] - sums[:-length]
        rest = steps - length
        mine, others = inside / length, (whole - inside) / rest
        within = np.maximum(squares - length * mine**2 - rest * others**2, 1e-9 * squares)
        t = (mine - others) / np.sqrt(within / (steps - 2) * (1 / length + 1 / rest))
        at = int(t.argmax())
        best = max(best, (float(t[at]), at, at + length))
    return best


def _tail(t: float, freedom: float) -> float:
    """The probability of a value above t."""
    if t <= 0:
        return 1.0
    normal = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))
    return NormalDist().cdf(-normal)
