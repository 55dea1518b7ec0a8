"""Random workloads that change by chance alone."""

from __future__ import annotations

import numpy as np

from ebpftop.rows.keys import Array


def activity(kind: str, random: np.random.Generator, steps: int, rows: int) -> Array:
    """The expected events in each step of each row, (steps × rows). The rows have very different sizes.

    kind: `independent` has the same rate in all steps; `autocorrelated` varies as AR(1) with 0.8, in logarithms;
    `bursts` are periodic, three steps long and thirty times the rate between them, with a period and phase for each
    row.
    """
    size = random.gamma(0.5, 20, rows) + 0.2
    match kind:
        case "independent":
            return np.broadcast_to(size, (steps, rows))
        case "autocorrelated":
            noise = random.normal(size=(steps, rows))
            level = noise.copy()
            for step in range(1, steps):
                level[step] = 0.8 * level[step - 1] + 0.6 * noise[step]
            return np.asarray(size * np.exp(0.7 * level))
        case "bursts":
            period, phase = random.integers(7, 40, rows), random.integers(0, 40, rows)
            burst = (np.arange(steps)[:, np.newaxis] + phase) % period < 3
            return np.asarray(size * np.where(burst, 9, 0.3))
    raise ValueError(kind)
