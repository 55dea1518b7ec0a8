"""The strip of a stacks view in its frame: which times and which CPU it shows."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from ebpftop.frames.messages import ViewInfo
from ebpftop.model.past.span import Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect
from ebpftop.model.selection import Selection
from ebpftop.model.stacks import samples
from ebpftop.stats import formatting
from ebpftop.stats.strip import NS, Strip
from ebpftop.ui.widgets.panel import Framed, words
from ebpftop.ui.widgets.strip import AROUND, StripPlot, rows_for

_AHEAD = 8  # the part of the width by which times are moved at once: each moves the whole picture
_AROUND = AROUND + 2  # lines around the rows, the rim among them


class StripFrame(Framed):
    def __init__(self, view: ViewInfo) -> None:
        super().__init__()
        self.view = view
        self.plot = StripPlot()
        self.cpu: int | None = None  # the one that is shown, or all
        self._begin = 0  # of the first column, monotonic ns
        self._cpus: list[int] = []
        self._last: tuple[Run, Wanted, Selection, Aspect] | None = None

    def compose(self) -> Iterable[Widget]:
        yield self.plot

    def take(self, lines: int | None) -> None:
        """Take at most this many lines, as many as its rows need; None: all available ones."""
        self.styles.height = "1fr" if lines is None else rows_for(lines - _AROUND) + _AROUND

    @property
    def cpu_words(self) -> str:
        return "all CPUs" if self.cpu is None else f"CPU {self.cpu}"

    def show(self, run: Run, wanted: Wanted, selection: Selection, aspect: Aspect = PLAIN) -> None:
        """Show the time until the span's end; with a cursor it stands still."""
        self._last = run, wanted, selection, aspect
        moments, last = run.moments.get(self.view.name), run.last
        if last is None or moments is None or not moments.kept:
            self.plot.show(None, Span(0, 0), 0)
            self.entitle(words("samples over time"))
            return
        offset = last.realtime_ns - last.monotonic_ns
        end = min(last.monotonic_ns, wanted.end)
        reach = Span(min(int(moments.all["time"][0]), last.monotonic_ns - 1), last.monotonic_ns)
        self._cpus = moments.cpus
        self._begin = self._place(end, offset)
        seen = Span(self._begin, min(self._begin + self.plot.cells * NS, last.monotonic_ns))
        times = samples(run, self.view, seen, self.cpu, selection, aspect)["time"]
        self.plot.show(Strip.of(times, self._begin, self.plot.cells, self.plot.parts), reach, offset)
        dropped = moments.total - moments.kept
        older = f"{formatting.count(dropped)} older samples dropped" if dropped else ""
        matching = f"matching “{aspect.query}”" if aspect.query else ""
        self.entitle(words("samples over time", self.cpu_words, matching, older))

    def _place(self, end: int, offset: int) -> int:
        """The start of the first column: a whole second of wall-clock time, such that the end, or the cursor, is
        visible.
        """
        cells, cursor = self.plot.cells, self.plot.cursor
        if cursor is not None and (self._begin + offset) % NS == 0:
            if self._begin <= cursor < self._begin + cells * NS:
                return self._begin
            column = 0 if cursor < self._begin else cells - 1
            return (cursor + offset) // NS * NS - offset - column * NS
        moved = max(1, cells // _AHEAD)
        seconds = (end - 1 + offset) // NS + 1 - cells
        return -(-seconds // moved) * moved * NS - offset

    def again(self) -> None:
        if self._last is not None:
            self.show(*self._last)

    def turn(self) -> None:
        """Cycle through all CPUs together, then each one."""
        after = [cpu for cpu in self._cpus if self.cpu is None or cpu > self.cpu]
        self.cpu = after[0] if after else None
        self.again()

    def on_strip_plot_moved(self, event: StripPlot.Moved) -> None:
        event.stop()
        self.again()

    def on_strip_plot_resized(self, event: StripPlot.Resized) -> None:
        event.stop()
        self.again()

    def on_strip_plot_turned(self, event: StripPlot.Turned) -> None:
        event.stop()
        self.turn()
