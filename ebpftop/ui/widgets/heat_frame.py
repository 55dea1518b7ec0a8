"""A histogram view over time in its frame: the heatmap and, if there is space, the rate below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.timer import Timer
from textual.widget import Widget

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.heat import HeatReader
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import Span, Wanted
from ebpftop.stats.heatmap import NS, Heatmap
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.panel import Framed, words
from ebpftop.ui.widgets.series import RatePlot

EVERY = 4 * NS  # between two drawings: each moves the whole picture, by a cell a second
FEW = 10  # columns up to which each is drawn at once
STACKED = 22  # lines from which the rate is shown below
Rows = Callable[[], Array | None]


class HeatFrame(Framed):
    DEFAULT_CSS = """
    HeatFrame {
        & > HeatmapPlot { height: 2fr; }
        & > RatePlot { display: none; height: 1fr; min-height: 6; }
        &.-stacked > RatePlot { display: block; }
    }
    """

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(id="past")
        self.heatmap = HeatmapPlot(inert(view.unit))
        self.rate = RatePlot()
        self._reader = HeatReader(view)
        self._last: tuple[Past, int, Wanted, Span | None, Rows, object, str] | None = None
        self._few = True
        self._later: Timer | None = None  # until what was left for later is drawn
        self._drawn: tuple[object, int] = (None, 0)  # what decides on the picture, and the end of its time

    def compose(self) -> Iterable[Widget]:
        yield self.heatmap
        yield self.rate

    def show(self, past: Past, now: int, wanted: Wanted, steps: Span | None, rows: Rows, of: object, who: str) -> None:
        """Show the time around a span, until `now` at most. steps: those of the span. rows: a mask of the past's rows
        to count, None for all. of: identifies it. who: its name in words.
        """
        self._last = (past, now, wanted, steps, rows, of, who)
        self.set_class(self.size.height >= STACKED, "-stacked")
        end = min(now, _until(wanted, steps))
        made = (id(past), wanted, of, self.heatmap.cells)
        drawn, until = self._drawn
        if made != drawn or not until <= end < until + EVERY or self._few:
            seconds = (end - steps.start) / NS if steps else 0
            heat = self._reader.read(past, end, self.heatmap.cells, seconds=seconds, only=rows())
            self._drawn = made, end
            self._few = len(heat.time) <= FEW
            self.heatmap.show(heat, steps, of)
            if self.has_class("-stacked"):
                self.rate.show(*_rates(heat))
            if self._later is not None:
                self._later.stop()
                self._later = None
        elif end > until and self._later is None:
            self._later = self.set_timer(EVERY / NS, self.catch_up)
        self._entitle()

    def catch_up(self) -> None:
        """Draw what was postponed, even if nothing follows it."""
        self._later, self._drawn = None, (None, 0)
        if self._last is not None:
            self.show(*self._last)

    def _entitle(self) -> None:
        who = self._last[-1] if self._last else ""
        self.entitle(words("over time", who, self.heatmap.words))

    def on_heatmap_plot_chosen(self) -> None:
        self._entitle()

    def on_heatmap_plot_resized(self) -> None:
        if self._last is not None:
            self.show(*self._last)


def _until(wanted: Wanted, steps: Span | None) -> int:
    """Also show what follows a chosen span, for the same length."""
    return 2 * steps.end - steps.start if steps and isinstance(wanted, Span) else wanted.end


def _rates(heat: Heatmap) -> tuple[list[float], list[float]]:
    """Seconds before the last column's end, and events a second."""
    time = heat.time
    return ((time.end - time.end[-1]) / NS).tolist() if len(time) else [], heat.rates(heat.totals).tolist()
