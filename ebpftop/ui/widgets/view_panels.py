"""The panel of each kind of view."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from textual.widget import Widget

from ebpftop.frames.messages import ViewInfo
from ebpftop.model import readings
from ebpftop.model.events import EventLog
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Histogram
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.cached import Row
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.histogram import HistogramBars, HistogramState
from ebpftop.ui.widgets.panel import Framed, GridFrame, ViewPanel, words
from ebpftop.ui.widgets.rows import RowKey, histogram_rows, table_rows
from ebpftop.ui.widgets.series import SeriesPlot
from ebpftop.ui.widgets.stacks_panel import StacksPanel
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

AROUND = 4  # lines of a table's frame, header and one to spare
WIDE = 130  # cells from which a histogram has room for its past beside it
RECENT = 60  # intervals whose range of values holds the histogram's rows in place


class GridPanel(ViewPanel):
    """A view that is one grid in its frame."""

    def __init__(self, view: ViewInfo, frame: GridFrame) -> None:
        super().__init__(view)
        self.frame = frame

    def compose(self) -> Iterable[Widget]:
        yield self.frame

    @property
    def grid_frame(self) -> GridFrame:
        return self.frame


class TablePanel(GridPanel):
    frame: TableFrame

    def __init__(self, view: ViewInfo) -> None:
        sort = f"{view.sort}/s" if view.sort in view.counters else view.sort
        super().__init__(view, TableFrame(view.title, TableGrid(sort)))
        self._total = ""  # the total that ordered the rows of the interval, where a rate could have

    def show(self, run: Run, processes: Processes) -> None:
        self.frame.window_words = self.window_words(run)
        self.frame.grid.show(table_rows(self.view, readings.table(run, self.view), processes, self.window))

    def toggle_window(self) -> None:
        super().toggle_window()
        sort = self.frame.grid.sort or ""
        counter = sort.removesuffix("/s")
        if counter in self.view.counters:
            if self.window == "start":
                self._total = sort if sort == counter else ""
                self.frame.grid.sort = counter
            elif sort != self._total:
                self.frame.grid.sort = f"{counter}/s"

    def let_go(self) -> bool:
        return self.frame.let_go()

    def identities_on_screen(self) -> list[int]:
        return self.frame.grid.on_screen(self.view.process_field)


class HistogramPanel(ViewPanel):
    """Bars and percentiles on top, beside them how they moved; below, the same by key."""

    DEFAULT_CSS = """
    HistogramPanel {
        & > .top { height: 14fr; min-height: 6; }
        & > GridFrame { height: 11fr; }
        & #past { display: none; }
        &.-past #past { display: block; }
        &.-past #now { display: none; }
        &.-wide #past { display: block; }
        &.-wide #now { display: block; }
    }
    """

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view)
        self.key: RowKey | None = None
        self._rows = 0  # the most there ever were
        self.lists = True  # whether there is room for the table
        self.bars = HistogramBars()
        self.plot = SeriesPlot(inert(view.unit))
        self.now = Framed(self.bars, id="now")
        self.past = Framed(self.plot, id="past")
        by = " and ".join(info.title.lower() for info in view.by_columns)
        self.frame = TableFrame(f"by {by}", TableGrid(picks=True)) if view.by else None

    def compose(self) -> Iterable[Widget]:
        yield Row(self.now, self.past, classes="top")
        if self.frame:
            yield self.frame

    def on_resize(self) -> None:
        self._widen()

    def _widen(self) -> None:
        """Show both parts of the upper half if there is room."""
        if self.has_class("-wide") is not (self.size.width >= WIDE):
            self.toggle_class("-wide")
            self.post_message(self.Stale())

    @property
    def grid_frame(self) -> GridFrame | None:
        return self.frame

    def show(self, run: Run, processes: Processes) -> None:
        self._widen()
        wanted = dict(zip(self.view.by, self.key, strict=True)) if self.key else None
        past = readings.series(run, self.view, wanted)
        shown = readings.histogram(run, self.view, wanted, self.window)
        recent = [each.histogram for each in past[-RECENT:] if each.histogram is not None]
        extent = Histogram.sum([*recent, shown])
        rate = past[-1].histogram.count / past[-1].seconds if past and past[-1].histogram and past[-1].seconds else 0.0
        both = self.has_class("-wide")
        if both or not self.has_class("-past"):
            self.bars.state = HistogramState(shown, extent, inert(self.view.unit), past, rate)
        if both or self.has_class("-past"):
            self.plot.intervals = past
        who = self._who(processes)
        self.now.entitle(words(self.view.title, who, self.window_words(run)))
        self.past.entitle(words("over time", who))
        if self.frame and self.lists:
            rows = histogram_rows(
                self.view, readings.histograms_by_key(run, self.view, self.window), processes, self.window
            )
            self._leave_room(rows.count)
            self.frame.window_words = self.window_words(run)
            self.frame.grid.show(rows)

    def _leave_room(self, rows: int) -> None:
        """The table takes no more lines than its maximum number of rows; the histogram gets the rest."""
        rows = min(rows, self.size.height or rows)  # more than fit make no difference, and a new height is a new layout
        if self.frame and rows > self._rows:
            self._rows = rows
            self.frame.styles.max_height = rows + AROUND

    def _who(self, processes: Processes) -> str:
        """The owner of these values."""
        if self.key is None:
            return "all" if self.view.by else ""
        words = []
        for info, value in zip(self.view.by_columns, self.key, strict=True):
            if info.is_process and isinstance(value, int):
                words.append(f"{names.name(value, processes)} {names.pid(value, processes)}")
            else:
                words.append(inert(str(value)))
        return "only " + ", ".join(words)

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        self.key = None if event.key == self.key else event.key
        self.post_message(self.Stale())

    @property
    def has_past(self) -> bool:
        return not self.has_class("-wide")

    def toggle_past(self) -> None:
        self.toggle_class("-past")
        self.post_message(self.Stale())

    def let_go(self) -> bool:
        if self.key is not None:
            self.key = None
            return True
        return self.frame is not None and self.frame.let_go()

    def identities_on_screen(self) -> list[int]:
        return self.frame.grid.on_screen(self.view.process_field) if self.frame else []


class EventsFrame(GridFrame):
    grid: EventList

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(EventList(view))
        self.title = view.title

    def search(self, query: str) -> None:
        self.grid.search(query)

    def on_event_list_arranged(self, event: EventList.Arranged) -> None:
        event.stop()
        events = self.grid
        rows = formatting.plural(events.total, "event")
        if events.wanted:
            rows = f"{formatting.count(events.count)} of {formatting.count(events.total)} match “{events.wanted}”"
        self.entitle(
            words(self.title, rows), words("following the newest" if events.following else "End follows the newest")
        )


class EventsPanel(GridPanel):
    TOGGLES_WINDOW = False
    frame: EventsFrame

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view, EventsFrame(view))

    def show(self, run: Run, processes: Processes) -> None:
        log = run.events.get(self.view.map) or EventLog()
        self.frame.grid.take(log, processes)

    def let_go(self) -> bool:
        if self.frame.grid.wanted:
            self.frame.drop_filter()
            return True
        if self.frame.grid.cursor is not None:
            self.frame.grid.action_follow()
            return True
        return False


def panel_for(view: ViewInfo) -> ViewPanel:
    kinds = {"histogram": HistogramPanel, "table": TablePanel, "events": EventsPanel, "stacks": StacksPanel}
    make = partial(kinds[view.show], view)
    return make()
