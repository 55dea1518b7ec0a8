"""Estimates for how long consecutive steps are correlated: a block must be this long to count as one observation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ebpftop.rows.keys import Array

_FAINT = 0.05  # a correlation that counts as none
_PART = 10  # one row in this many
_BLOCK = 2  # correlation times in a block: adjacent blocks are then nearly independent


@dataclass(frozen=True, eq=False, slots=True)
class Correlation:
    """The correlation of series of steps. block: steps in a block, 1 if they are independent. inflation: for each row,
    the factor by which the variance of a long mean exceeds the estimate from the variance of blocks.

    The correlation time is the integrated one, 1 + 2 Σ r(h) until r(h) fades (Sokal 1997, "Monte Carlo Methods in
    Statistical Mechanics", section 3). A block is twice the correlation time of the most correlated tenth of the rows.
    """

    block: int
    inflation: Array

    @classmethod
    def of(cls, series: Sequence[Array], few: int = 1) -> Correlation:
        """Estimate the correlation. series: stretches of consecutive steps, (steps × rows) of the same rows, each of
        which varies around its own mean.
        """
        rows = series[0].shape[1] if len(series) else 0
        around = [each - each.mean(axis=0) for each in series if len(each) > 1]
        power = sum(((each**2).sum(axis=0) for each in around), np.zeros(rows))
        vary = np.flatnonzero(power > 0)
        inflation = np.ones(rows)
        if not len(vary):
            return cls(1, inflation)
        around = [each[:, vary] / np.sqrt(power[vary]) for each in around]
        most = np.argsort(-_at(around, 1) - _at(around, 2), kind="stable")[: -(-len(vary) // _PART)]
        most_alike = [each[:, most] for each in around]
        chosen = _chosen(len(vary), sum(map(len, around)))
        (time,), _ = _times(most_alike, chosen, together=True, block=1)
        block = 1 if time == 1 else max(math.ceil(time), min(math.ceil(_BLOCK * time), min(map(len, series)) // few))
        _, (within,) = _times(most_alike, chosen, together=True, block=block)
        times, parts = _times(around, 0, together=False, block=block)
        inflation[vary] = np.maximum(times / parts, time / within)
        return cls(block, inflation)


def block_length(series: Sequence[Array]) -> int:
    """The number of steps in a block."""
    return Correlation.of(series).block


def _chosen(rows: int, steps: int) -> float:
    """The correlation at the first two lags that the rows chosen for it would show there, even if all are
    independent.
    """
    normal, part = NormalDist(), 1 / _PART
    greatest = normal.inv_cdf(rows / (rows + 1)) if rows < _PART else normal.pdf(normal.inv_cdf(1 - part)) / part
    return greatest / math.sqrt(2 * steps)


def _times(around: list[Array], chosen: float, *, together: bool, block: int) -> tuple[Array, Array]:
    """The correlation time of each row, or of all on average; and the part of it that is visible within blocks. The
    squares of a row's deviations add up to 1.
    """
    steps = sum(map(len, around))
    rows = 1 if together else around[0].shape[1]
    time, within, alive = np.ones(rows), np.ones(rows), np.ones(rows, bool)
    for lag in range(1, max(2, max(map(len, around)) // 2)):
        pairs = sum(max(0, len(each) - lag) for each in around)
        alike = _at(around, lag) * steps / pairs
        if together:
            alike = alike.mean(keepdims=True)
        alike = alike + time * len(around) / steps * (1 - alike)  # the means are estimated from the same steps
        alike = alike - (chosen if lag <= 2 else 0)
        alive &= alike >= _FAINT
        if not alive.any():
            break
        time += np.where(alive, 2 * alike, 0)
        within += np.where(alive, 2 * alike * max(0.0, 1 - lag / block), 0)
    return time, within


def _at(around: list[Array], lag: int) -> Array:
    return np.asarray(sum(((each[lag:] * each[:-lag]).sum(axis=0) for each in around), 0.0))


def blocks(steps: int, length: int) -> Array:
    """The block of each step: as many equally long blocks of at least this length as fit, at least one."""
    return np.arange(steps) * max(1, steps // length) // max(1, steps)
