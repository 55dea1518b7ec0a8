"""Positions in a picture, in percent of its width, and round numbers on its axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ebpftop.export.page.markup import Markup, tag
from ebpftop.model.past.span import Span
from ebpftop.stats import formatting

_SHORT = 120 * formatting.NS  # shorter axes show times with milliseconds


@dataclass(frozen=True, slots=True)
class Axis:
    """The time axis shared by all pictures of a page. start, end: monotonic ns. ahead: realtime minus monotonic.

    marks: moments (monotonic ns) with the numbers under which the page lists them. spans: the compared spans, with
    their names.
    """

    start: int
    end: int
    ahead: int
    marks: tuple[tuple[int, int], ...] = ()
    spans: tuple[tuple[str, Span], ...] = ()

    def x(self, monotonic_ns: int) -> float:
        """The position in percent of the width, 0 … 100."""
        if self.end <= self.start:
            return 0.0
        return 100 * min(1.0, max(0.0, (monotonic_ns - self.start) / (self.end - self.start)))

    def labels(self, y: float) -> list[Markup]:
        """The times at the beginning, the middle and the end."""
        middle = (self.start + self.end) // 2
        places = ((self.start, 0, "start"), (middle, 50, "middle"), (self.end, 100, "end"))
        return [
            tag("text", self.clock(moment), x=f"{at}%", y=y, text_anchor=anchor, class_="axis")
            for moment, at, anchor in places
        ]

    def marked(self, height: float) -> list[Markup]:
        """A line for each mark, with its number, and above the picture one for each span."""
        found = [drawn for name, span in self.spans for drawn in self._spanned(name, span)]
        for moment, number in self.marks:
            if self.start <= moment <= self.end:
                x = f"{self.x(moment):.3g}%"
                found.append(tag("line", x1=x, x2=x, y1=0, y2=height, class_="mark"))
                anchor = "end" if self.x(moment) > 95 else "start"
                found.append(
                    tag(
                        "text",
                        str(number),
                        x=x,
                        y=10,
                        dx=-2 if anchor == "end" else 2,
                        text_anchor=anchor,
                        class_="mark",
                    )
                )
        return found

    def _spanned(self, name: str, span: Span) -> Iterator[Markup]:
        """A span as a line above the picture, with its name."""
        left, right = self.x(span.start), self.x(span.end)
        look = f"span-{name.lower()}"
        yield tag("rect", x=f"{left:.4g}%", width=f"{max(0.2, right - left):.4g}%", y=-5, height=4, class_=look)
        yield tag("text", name, x=f"{(left + right) / 2:.4g}%", y=-7, text_anchor="middle", class_=look)

    def clock(self, monotonic_ns: int) -> str:
        """The time of day, as precise as the axis needs."""
        text = formatting.clock(monotonic_ns + self.ahead)
        return text if self.end - self.start < _SHORT else text.partition(".")[0]


def clock(realtime_ns: int) -> str:
    """`2026-11-29 09:41:56 +0000`; a number that isn't a plausible time is returned as a number."""
    if not formatting.NS <= realtime_ns < formatting.NS << 35:
        return str(realtime_ns)
    return f"{datetime.fromtimestamp(realtime_ns // formatting.NS).astimezone():%Y-%m-%d %H:%M:%S %z}"


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, …: the upper end of an axis."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))
