"""The kinds of views that a manifest can choose."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from textual.containers import Horizontal
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
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.histogram import HistogramBars, HistogramState
from ebpftop.ui.widgets.panel import Framed, GridFrame, ViewPanel, words
from ebpftop.ui.widgets.rows import Key, keyed_rows, table_rows
from ebpftop.ui.widgets.series import SeriesPlot
from ebpftop.ui.widgets.stacks import StacksView
from ebpftop.ui.widgets.table import Table
from ebpftop.ui.widgets.tableframe import TableFrame

AROUND = 4  # lines of a table's frame, its header and one spare
WIDE = 130  # cells from which a histogram has room for the plot over time beside it
FRAME = 60  # intervals whose range of values fixes the histogram's rows


class TableView(ViewPanel):
    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view)
        sort = view.sort
        counters = {info.field for info in view.columns if info.role == "counter"}
        self.frame = TableFrame(view.title, Table(f"{sort}/s" if sort in counters else sort))

    def compose(self) -> Iterable[Widget]:
        yield self.frame

    @property
    def grid_frame(self) -> GridFrame:
        return self.frame

    def show(self, run: Run, processes: Processes) -> None:
        self.frame.window_words = self.window_words(run)
        self.frame.grid.show(table_rows(self.view, readings.table(run, self.view), processes, self.window))

    def toggle_window(self) -> None:
        super().toggle_window()
        sort = self.frame.grid.sort or ""
        counters = {info.field for info in self.view.columns if info.role == "counter"}
        if sort.removesuffix("/s") in counters:
            self.frame.grid.sort = sort.removesuffix("/s") + ("/s" if self.window == "interval" else "")

    def let_go(self) -> bool:
        return self.frame.let_go()

    def identities_on_screen(self) -> list[int]:
        return _identities(self.view, self.frame.grid)


class HistogramView(ViewPanel):
    """Bars and percentiles on top, beside them the plot over time; below, the same by key."""

    DEFAULT_CSS = """
    HistogramView {
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
        self.key: Key | None = None
        self._rows = 0  # the maximum so far
        self.bars = HistogramBars()
        self.plot = SeriesPlot(inert(view.unit))
        self.now = Framed(self.bars, id="now")
        self.past = Framed(self.plot, id="past")
        titles = {info.field: info.title for info in view.columns}
        by = " and ".join((titles.get(name) or name).lower() for name in view.by)
        self.frame = TableFrame(f"by {by}", Table(picks=True)) if view.by else None

    def compose(self) -> Iterable[Widget]:
        yield Horizontal(self.now, self.past, classes="top")
        if self.frame:
            yield self.frame

    def on_resize(self) -> None:
        self._widen()

    def _widen(self) -> None:
        """Show both parts of the upper half if there is room."""
        self.set_class(self.size.width >= WIDE, "-wide")

    @property
    def grid_frame(self) -> GridFrame | None:
        return self.frame

    def show(self, run: Run, processes: Processes) -> None:
        self._widen()
        wanted = dict(zip(self.view.by, self.key, strict=True)) if self.key else None
        past = readings.series(run, self.view, wanted)
        shown = readings.histogram(run, self.view, wanted, self.window)
        recent = [each.histogram for each in past[-FRAME:] if each.histogram is not None]
        frame = shown if self.window == "start" else Histogram.of([], [])
        for each in recent:
            frame = frame.merge(each)
        rate = past[-1].histogram.count / past[-1].seconds if past and past[-1].histogram and past[-1].seconds else 0.0
        self.bars.state = HistogramState(shown, frame.merge(shown), inert(self.view.unit), past, rate)
        self.plot.intervals = past
        who = self._who(processes)
        self.now.border_title = words(self.view.title, who, self.window_words(run))
        self.past.border_title = words("over time", who)
        if self.frame:
            rows = keyed_rows(self.view, readings.by_key(run, self.view, self.window), processes, self.window)
            self._leave_room(rows.count)
            self.frame.window_words = self.window_words(run)
            self.frame.grid.show(rows)

    def _leave_room(self, rows: int) -> None:
        """The table takes no more lines than its maximum number of rows; the histogram gets the rest."""
        if self.frame and rows > self._rows:
            self._rows = rows
            self.frame.styles.max_height = rows + AROUND

    def _who(self, processes: Processes) -> str:
        """The owner of these values."""
        if self.key is None:
            return "all" if self.view.by else ""
        decodes = {info.field: info.decode for info in self.view.columns}
        told = []
        for name, value in zip(self.view.by, self.key, strict=True):
            if decodes.get(name) == "process" and isinstance(value, int):
                told.append(f"{names.name(value, processes)} {names.pid(value, processes)}")
            else:
                told.append(inert(str(value)))
        return "only " + ", ".join(told)

    def on_table_picked(self, event: Table.Picked) -> None:
        self.key = None if event.key == self.key else event.key
        self.post_message(self.Stale())

    @property
    def has_past(self) -> bool:
        return not self.has_class("-wide")

    def toggle_past(self) -> None:
        self.toggle_class("-past")

    def let_go(self) -> bool:
        if self.key is not None:
            self.key = None
            return True
        return self.frame is not None and self.frame.let_go()

    def identities_on_screen(self) -> list[int]:
        return _identities(self.view, self.frame.grid) if self.frame else []


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
        rows = f"{formatting.count(events.total)} events"
        if events.wanted:
            rows = f"{formatting.count(events.count)} of {formatting.count(events.total)} match “{events.wanted}”"
        self.border_title = words(self.title, rows)
        self.border_subtitle = words("following the newest" if events.following else "End follows the newest")


class EventsView(ViewPanel):
    TOGGLES_WINDOW = False

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view)
        self.frame = EventsFrame(view)

    def compose(self) -> Iterable[Widget]:
        yield self.frame

    @property
    def grid_frame(self) -> GridFrame:
        return self.frame

    def show(self, run: Run, processes: Processes) -> None:
        log = run.events.get(self.view.map) or EventLog()
        self.frame.grid.take(log, processes)

    def let_go(self) -> bool:
        if self.frame.grid.wanted:
            self.frame.drop_filter()
            return True
        return False


def panel_for(view: ViewInfo) -> ViewPanel:
    kinds = {"histogram": HistogramView, "table": TableView, "events": EventsView, "stacks": StacksView}
    make = partial(kinds[view.show], view)
    return make()


def _identities(view: ViewInfo, grid: Grid) -> list[int]:
    process = next((info.field for info in view.columns if info.decode == "process"), None)
    return grid.on_screen(process) if process and isinstance(grid, Table) else []
