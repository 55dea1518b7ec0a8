"""Spans of time on one stream's monotonic clock: some are fixed, others move with time."""

from __future__ import annotations

from math import inf

from msgspec import Struct

FIRST, LAST = -(1 << 62), 1 << 62  # ns; no sample is before or after


class Span(Struct, frozen=True):
    """From `start` to `end`, monotonic ns. It holds the steps that end in it, including at `end` but not at `start`, so
    adjoining spans share no step.
    """

    start: int = FIRST
    end: int = LAST

    @classmethod
    def last(cls, seconds: float, end: int) -> Span:
        """The seconds before `end`."""
        return cls(end - round(seconds * 1e9), end)

    @property
    def moves(self) -> bool:
        """Never with time."""
        return False

    @property
    def seconds(self) -> float:
        return max(0, self.end - self.start) / 1e9


ALL = Span()


class Recent(Struct, frozen=True):
    """The last seconds of each view: 0 is its last step, infinite is everything since the start. It moves with time,
    unless it has an end (monotonic ns): then it is what was recent at that moment.
    """

    seconds: float
    end: int = LAST

    @property
    def moves(self) -> bool:
        return self.end == LAST


INTERVAL, START = Recent(0.0), Recent(inf)
PRESETS = (INTERVAL, Recent(10.0), Recent(60.0), START)
Wanted = Recent | Span
