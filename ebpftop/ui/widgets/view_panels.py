"""The panel of each kind of view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np
from textual.widget import Widget

from ebpftop.frames.messages import ViewInfo
from ebpftop.model import readings
from ebpftop.model.chosen import lacking, narrowing
from ebpftop.model.dimensions import Source
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import EVENTS, grouped_events, grouped_histograms, grouped_table, groupings
from ebpftop.model.machines import away
from ebpftop.model.past.span import START, Recent, Wanted
from ebpftop.model.run import Run
from ebpftop.model.scope import Aspect
from ebpftop.model.selection import Choice, choices_of
from ebpftop.model.trees import events_of, is_tree
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Histogram
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.drawing.spans import span_words
from ebpftop.ui.widgets.cached import Row
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.heat_frame import HeatFrame
from ebpftop.ui.widgets.histogram import HistogramBars, HistogramState
from ebpftop.ui.widgets.panel import Framed, GridFrame, ViewPanel, by, words
from ebpftop.ui.widgets.rows import RowKey, Rows, histogram_rows, table_rows
from ebpftop.ui.widgets.stacks_panel import StacksPanel
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.tree_grid import TreeGrid
from ebpftop.ui.widgets.tree_rows import tree_of_histograms, tree_of_table

WIDE = 130  # cells from which a histogram has room for its past beside it
AROUND = 4  # lines of a table's frame, header and one to spare


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
        super().__init__(view, TableFrame(view.title, TreeGrid(sort)))

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        self.frame.span_words = span_words(run, self.view, wanted)
        self.frame.title = by(self.title, self.group)
        self.frame.grid.leaves_out = self.leaves_out(run)
        self.frame.grid.narrowed = bool(narrowing(self.selection, self.view))
        found = readings.table(run, self.view, wanted, self.selection)
        if self.group is None:
            self.frame.grid.show(
                table_rows(self.view, found, processes, wanted, away(run.gaps) if wanted.moves else ())
            )
            return
        own = self.apart(run, found.keys, len(found), processes)
        if is_tree(self.group):
            self.frame.grid.show(tree_of_table(self.view, found, self.group, processes, own, wanted))
        else:
            groups, ours = grouped_table(self.view, found, self.group, processes, own)
            self.frame.grid.show(replace(table_rows(self.rows_view, groups, processes, wanted), ours=ours))

    @property
    def groupings(self) -> list[Source]:
        return groupings(self.view)

    @property
    def left_out(self) -> str:
        return self.frame.left_out

    def let_go(self) -> bool:
        return self.frame.let_go()

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        return self.chosen_row(self.frame.grid, processes)

    def identities_on_screen(self) -> list[int]:
        return self.frame.grid.on_screen(self.view.process_field)


class HistogramPanel(ViewPanel):
    """Bars and percentiles on top, their course beside them; below, the same by key."""

    room = WIDE
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
        self.now = Framed(self.bars, id="now")
        self.past = HeatFrame(view)
        self._by = f"by {' and '.join(info.title.lower() for info in view.by_columns)}"
        self.frame = TableFrame(self._by, TreeGrid(picks=True)) if view.by else None

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

    @property
    def _key(self) -> dict[str, int | str]:
        """The key fields of the picked row."""
        return dict(zip(self.view.by, self.key, strict=True)) if self.key else {}

    def aspect(self, run: Run) -> Aspect:
        return replace(super().aspect(run), key=self._key)

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        self._widen()
        key = self._key or None
        past = readings.series(run, self.view, key, wanted, self.selection)
        shown = readings.histogram(run, self.view, key, wanted, self.selection)
        seconds = readings.extent(run, self.view, wanted).seconds
        extent = Histogram.sum([*(each.histogram for each in past), shown])
        rate = shown.count / seconds if seconds else 0.0
        both = self.has_class("-wide")
        if both or not self.has_class("-past"):
            self.bars.state = HistogramState(shown, extent, inert(self.view.unit), past, rate)
        who = self._who(processes)
        covered = span_words(run, self.view, wanted)
        self.now.entitle(words(self.title, who, covered))
        if run.last and self.view.name in run.pasts and (both or self.has_class("-past")):
            steps = readings.extent(run, self.view, wanted).span
            counted = partial(readings.of_past, run, self.view, key, self.selection)
            who = " · ".join(part for part in (lacking(self.selection, self.view), who) if part)
            of = self.key, self.selection
            self.past.show(run.pasts[self.view.name], run.last.monotonic_ns, wanted, steps, counted, of, who)
        if self.frame and self.lists:
            rows = self._grouped(run, processes, wanted)
            self.frame.grid.narrowed = bool(narrowing(self.selection, self.view))
            self.frame.grid.leaves_out = self.leaves_out(run)
            self._leave_room(rows.count - int(rows.own.sum()) * self.frame.grid.leaves_out)
            self.frame.span_words = covered
            self.frame.grid.show(rows)

    def _grouped(self, run: Run, processes: Processes, wanted: Wanted) -> Rows:
        """The histograms by key, or by group."""
        assert self.frame is not None
        keyed = readings.histograms_by_key(run, self.view, wanted, self.selection)
        self.frame.title = by("", self.group) if self.group else self._by
        self.frame.grid.picks = self.group is None
        if self.group is None:
            return histogram_rows(self.view, keyed, processes, wanted, away(run.gaps) if wanted.moves else ())
        own = self.apart(run, keyed.keys, len(keyed), processes)
        if is_tree(self.group):
            return tree_of_histograms(self.view, keyed, self.group, processes, own, wanted)
        groups, ours = grouped_histograms(self.view, keyed, self.group, processes, own)
        return replace(histogram_rows(self.rows_view, groups, processes, wanted), ours=ours)

    @property
    def groupings(self) -> list[Source]:
        return groupings(self.view)

    def _leave_room(self, rows: int) -> None:
        """The table takes no more lines than its maximum number of rows; the histogram gets the rest."""
        rows = min(rows, self.size.height or rows)  # more than fit make no difference, and a new height is a new layout
        if self.frame and rows > self._rows:
            self._rows = rows
            self.frame.styles.max_height = rows + AROUND

    def _who(self, processes: Processes) -> str:
        """The owner of these values."""
        selected = narrowing(self.selection, self.view)
        if self.key is None:
            return selected or ("all" if self.view.by else "")
        words = []
        for info, value in zip(self.view.by_columns, self.key, strict=True):
            if info.is_process and isinstance(value, int):
                words.append(f"{names.name(value, processes)} {names.pid(value, processes)}")
            else:
                words.append(inert(str(value)))
        return "only " + ", ".join(words)

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        if self.frame is None:
            return [], []
        if not self.frame.has_focus_within and self.key is not None:
            return choices_of(self.view, self._key, processes)
        return self.chosen_row(self.frame.grid, processes)

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        self.key = None if event.key == self.key else event.key
        self.post_message(self.Stale())

    @property
    def left_out(self) -> str:
        return self.frame.left_out if self.frame and self.lists else ""

    @property
    def has_past(self) -> bool:
        return not self.has_class("-wide")

    def toggle_past(self) -> None:
        self.toggle_class("-past")
        self.post_message(self.Stale())

    @property
    def stops(self) -> list[Widget]:
        return [*super().stops, *([self.past.heatmap] if self.past.display else [])]

    def let_go(self) -> bool:
        if self.past.display and self.past.heatmap.let_go():
            return True
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
        self.span_words = ""
        self.follows = True  # whether what comes is shown

    def search(self, query: str) -> None:
        self.grid.search(query)

    def on_event_list_arranged(self, event: EventList.Arranged) -> None:
        event.stop()
        events = self.grid
        rows = formatting.plural(events.total, "event")
        if events.wanted:
            rows = f"{formatting.count(events.count)} of {formatting.count(events.total)} match “{events.wanted}”"
        elif events.narrowed:
            rows = f"{formatting.count(events.count)} of {rows}"
        lost = formatting.count(events.dropped)
        dropped = f"{lost} older ones dropped" if events.dropped and self.span_words else ""
        newest = "following the newest" if events.following else "End follows the newest"
        self.entitle(words(self.title, self.span_words, rows, dropped), words(newest if self.follows else ""))


class EventsPanel(GridPanel):
    """The events, or how many there are of each group."""

    DEFAULT_CSS = """
    EventsPanel {
        & > TableFrame { display: none; }
        &.-grouped > TableFrame { display: block; }
        &.-grouped > EventsFrame { display: none; }
    }
    """
    frame: EventsFrame

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view, EventsFrame(view))
        self.groups = TableFrame(view.title, TreeGrid(EVENTS))

    def compose(self) -> Iterable[Widget]:
        yield self.frame
        yield self.groups

    @property
    def grid_frame(self) -> GridFrame:
        return self.groups if self.group else self.frame

    @property
    def groupings(self) -> list[Source]:
        return groupings(self.view)

    def _turn(self) -> None:
        """Show the events or the groups, with the focus if the other had it."""
        if self.has_class("-grouped") is not (self.group is not None):
            focused = self.has_focus_within
            self.toggle_class("-grouped")
            if focused:
                self.screen.set_focus(self.grid_frame.grid)  # now, so that it gets the keys typed next

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        log = run.events.get(self.view.map) or EventLog()
        shown = readings.events(run, self.view, wanted)
        whole = isinstance(wanted, Recent) and (wanted.seconds <= 0 or not shown.start)
        listed = Recent(START.seconds, wanted.end) if whole else wanted  # of one interval there are all until its end
        self.frame.span_words = "" if whole and wanted.moves else span_words(run, self.view, listed)
        self.frame.follows = wanted.moves
        self.frame.title = self.title
        self._turn()
        if self.group is None:
            self.frame.grid.take(log, processes, shown, self.selection)
            return
        dropped = log.total - log.kept - shown.start
        lost = f"{formatting.count(dropped)} older ones dropped" if dropped > 0 else ""
        self.groups.title = by(self.title, self.group)
        self.groups.span_words = " · ".join(part for part in (self.frame.span_words, lost) if part)
        self.groups.grid.narrowed = bool(narrowing(self.selection, self.view))
        if is_tree(self.group):
            counts = events_of(self.view, log, shown, self.group, processes, self.selection)
            none = np.zeros(len(counts), bool)
            self.groups.grid.show(tree_of_table(self.view, counts, self.group, processes, none, START))
            return
        counts = grouped_events(self.view, log, shown, self.group, processes, self.selection)
        self.groups.grid.show(table_rows(self.rows_view, counts, processes, START))

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        if self.group is not None:
            return self.chosen_row(self.groups.grid, processes)
        events = self.frame.grid
        events.point()
        return choices_of(self.view, {} if events.cursor is None else events.fields(events.cursor), processes)

    def let_go(self) -> bool:
        if self.group is not None:
            return self.groups.let_go()
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
