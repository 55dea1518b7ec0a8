"""A region of a heatmap, which is a span of time and a range of values, and its description."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ebpftop.model.heat import Region
from ebpftop.model.past.span import Span
from ebpftop.stats import formatting
from ebpftop.stats.heatmap import NS, Heatmap, Timeline
from ebpftop.stats.slots import slot_of
from ebpftop.ui.drawing.heat_layout import Laid


@dataclass(frozen=True, slots=True)
class Picked:
    """A region, its time, its count, and the count of all values in its span; both are None if unknown."""

    region: Region
    when: str
    count: int | None
    of: int | None

    @classmethod
    def between(cls, laid: Laid, one: tuple[int, int], other: tuple[int, int]) -> Self:
        """The region with these two corners, each a column and a row."""
        (first, last), (low, high) = sorted((one[0], other[0])), sorted((one[1], other[1]))
        time = laid.heat.time
        span = Span(int(time.start[first]), int(time.end[last]))
        count, of = laid.heat.count(first, last, int(laid.starts[low]), int(laid.starts[high + 1]))
        return cls(Region(span, laid.edges[low], laid.edges[high + 1]), when(time, span), count, of)

    def counted(self, heat: Heatmap) -> Picked:
        """The same region with the counts of another heatmap, if that has these columns."""
        time, region = heat.time, self.region
        first = int(np.searchsorted(time.end, region.span.start, "right"))
        last = int(np.searchsorted(time.end, region.span.end))
        count = of = None
        if last < len(time) and (time.start[first], time.end[last]) == (region.span.start, region.span.end):
            count, of = heat.count(first, last, slot_of(region.low), slot_of(region.high - 1) + 1)
        return replace(self, count=count, of=of)

    def words(self, unit: str) -> str:
        """Times, values and count."""
        values = formatting.bounds(self.region.low, self.region.high, unit)
        count = "" if self.count is None else formatting.plural(self.count, "value")
        return " · ".join(part for part in (self.when, values, count) if part)

    @property
    def share(self) -> str:
        return "" if self.count is None or self.of is None else share(self.count, self.of)


def when(time: Timeline, span: Span) -> str:
    """`08:33:46.2 for 4 s`: a span that ends with one of the columns."""
    column = int(np.searchsorted(time.end, span.end))
    ahead = time.realtime[column] - time.end[column]
    clock, dot, rest = formatting.clock(span.start + int(ahead)).partition(".")
    clock = (clock + dot + rest[:1]).removesuffix(".0")
    seconds = round(span.seconds, 1) or span.seconds
    return f"{clock} for {formatting.duration(seconds * NS)}"


def share(count: int, of: int) -> str:
    """Its share of all values at that time."""
    return f"{formatting.percent(float(f'{100 * count / of:.2g}'))} of all" if of else "nothing at that time"
