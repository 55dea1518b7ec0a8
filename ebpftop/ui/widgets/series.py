"""Events per second over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text
from textual.color import Color

from ebpftop.stats import formatting
from ebpftop.ui.drawing.plot import Colour, Curve, time_series
from ebpftop.ui.widgets.kept import Words


class RatePlot(Words):
    """plotext takes 30 ms for a plot: call `show` only with new values."""

    DEFAULT_CSS = """
    RatePlot {
        height: 1fr;
        padding: 0 1 0 0;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._ages: Sequence[float] = ()
        self._rates: Sequence[float] = ()

    def show(self, ages: Sequence[float], rates: Sequence[float]) -> None:
        """ages: seconds before now, negative. rates: per second, NaN if unknown."""
        self._ages, self._rates = ages, rates
        self.update_lines()

    def words(self) -> Text:
        width, height = self.content_size
        if sum(not math.isnan(rate) for rate in self._rates) < 2:
            return Text("waiting for a second interval…" if height else "", "dim")
        weak = self._colour("quiet")
        curve = Curve(self._rates, self._colour("primary"))
        plot = time_series(self._ages, [curve], width, height - 1, tick=formatting.rate, axis=weak)
        return Text("\n").join((Text("events per second", _hex(weak)), plot))

    def _colour(self, name: str) -> Colour | None:
        return None if self.app.no_color else Color.parse(self.app.theme_variables[name]).rgb


def _hex(colour: Colour | None) -> str:
    return "" if colour is None else "#{:02x}{:02x}{:02x}".format(*colour)
