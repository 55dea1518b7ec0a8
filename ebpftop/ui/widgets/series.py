"""Rate and percentiles over time: two plots with the same time axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

from rich.text import Text
from textual.color import Color
from textual.reactive import reactive

from ebpftop.model.run import Interval
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES
from ebpftop.ui.drawing.plot import Colour, Curve, time_series
from ebpftop.ui.widgets.kept import Words

NS = 1e9
EVERY = 4  # seconds between two drawings
FEW = 10  # intervals up to which each is drawn at once
STACKED = 14  # lines from which one plot is shown above the other


class SeriesPlot(Words):
    """Percentiles on top (upper bounds of their buckets, logarithmic), events per second below."""

    DEFAULT_CSS = """
    SeriesPlot {
        height: 1fr;
        padding: 0 1 0 0;
    }
    """

    intervals: reactive[Sequence[Interval]] = reactive((), always_update=True, repaint=False)

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit
        self._newest: Interval | None = None  # the last one drawn

    def watch_intervals(self) -> None:
        """plotext takes 30 ms for a plot, and one second is a dot of two minutes: draw a few at once."""
        newest = self._newest
        known = newest is not None and any(each is newest for each in self.intervals)  # else they are of another key
        passed = (self.intervals[-1].realtime_ns - newest.realtime_ns) / NS if newest and self.intervals else 0.0
        if not known or len(self.intervals) <= FEW or passed >= EVERY:
            self.update_lines()

    def words(self) -> Text:
        self._newest = self.intervals[-1] if self.intervals else None
        shown = [each for each in self.intervals if each.seconds > 0 and each.histogram is not None]
        width, height = self.content_size
        if len(shown) < 2:
            return Text("waiting for a second interval…" if height else "", "dim")
        if height >= STACKED:
            below = max(6, height * 2 // 5)
            return Text("\n").join((self._percentiles(shown, width, height - below), self._rate(shown, width, below)))
        half = (width - 2) // 2
        return _beside(self._percentiles(shown, half, height), self._rate(shown, half, height), half + 2)

    def _percentiles(self, shown: Sequence[Interval], width: int, height: int) -> Text:
        strong, weak = self._colour("primary"), self._colour("quiet")
        colours = (strong, _between(strong, weak), weak)
        highest_first = sorted(PERCENTILES.items(), key=lambda item: -item[1])
        curves: list[Curve] = []
        names: list[Text] = []
        for (name, q), colour in zip(highest_first, colours, strict=True):
            curves.append(Curve([_upper(each, q) for each in shown], colour))
            names.append(Text(name, f"{'' if names else 'bold '}{_hex(colour)}"))
        legend = Text(" over ", "dim").join(names)
        tick = partial(formatting.value, unit=self.unit)
        plot = time_series(_ages(shown), curves, width, height - 1, tick=tick, logarithmic=True, axis=weak)
        return Text("\n").join((legend, plot))

    def _rate(self, shown: Sequence[Interval], width: int, height: int) -> Text:
        rates = [(each.histogram.count if each.histogram else 0) / each.seconds for each in shown]
        weak = self._colour("quiet")
        curve = Curve(rates, self._colour("primary"))
        plot = time_series(_ages(shown), [curve], width, height - 1, tick=formatting.rate, axis=weak)
        return Text("\n").join((Text("events per second", _hex(weak)), plot))

    def _colour(self, name: str) -> Colour | None:
        return None if self.app.no_color else Color.parse(self.app.theme_variables[name]).rgb


def _ages(shown: Sequence[Interval]) -> list[float]:
    """Seconds before the last interval, negative."""
    return [(each.realtime_ns - shown[-1].realtime_ns) / NS for each in shown]


def _beside(left: Text, right: Text, column: int) -> Text:
    lines = []
    for one, other in zip_longest(left.split("\n"), right.split("\n"), fillvalue=Text()):
        one.pad_right(max(0, column - one.cell_len))
        lines.append(one + other)
    return Text("\n").join(lines)


def _upper(interval: Interval, q: float) -> float:
    bounds = interval.histogram.quantile(q) if interval.histogram else None
    return float(bounds[1]) if bounds else math.nan


def _between(one: Colour | None, other: Colour | None) -> Colour | None:
    if one is None or other is None:
        return None
    return ((one[0] + other[0]) // 2, (one[1] + other[1]) // 2, (one[2] + other[2]) // 2)


def _hex(colour: Colour | None) -> str:
    return "" if colour is None else "#{:02x}{:02x}{:02x}".format(*colour)
