"""Holding the screen still: runs as they stood then, which can still be sorted, filtered and looked at."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from ebpftop.ui.feed.feed import Feed

if TYPE_CHECKING:
    from ebpftop.model.run import Run


class Hold:
    """The runs that screens show: as they are, or as they stood when the screen was held still. A tape stands by
    itself.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._held: dict[int, Run] | None = None

    @property
    def still(self) -> bool:
        playback = self._feed.playback
        return playback.paused if playback is not None else self._held is not None

    def hold(self, still: bool) -> None:
        """Hold the screen still while data keep coming, or let it catch up."""
        self._held = {number: frozen(run) for number, run in self._feed.session.runs.items()} if still else None

    def run(self, number: int) -> Run | None:
        held = self._held.get(number) if self._held is not None else None
        return held or self._feed.session.runs.get(number)


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
