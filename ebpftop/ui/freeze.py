"""A run held still, so that a paused screen can still be sorted, filtered and looked at from all sides."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import replace

from ebpftop.model.run import Run


def frozen(run: Run) -> Run:
    """A copy that later frames don't touch. Frames and samples are immutable and shared."""
    return replace(
        run,
        samples=deque(run.samples),
        costs=deque(run.costs),
        events=deepcopy(run.events),
        ledgers=deepcopy(run.ledgers),
        intervals={name: deque(past) for name, past in run.intervals.items()},
    )
