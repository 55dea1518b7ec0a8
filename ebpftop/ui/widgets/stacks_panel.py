"""Call stacks: a flame graph, and the functions with the largest values, beside it or instead of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import ClassVar, Literal

import numpy as np
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ebpftop.base.query import holds, words_of
from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.dimensions import function_key
from ebpftop.model.moments import Slice
from ebpftop.model.narrowing import row_of
from ebpftop.model.own import own_rows
from ebpftop.model.past.span import Recent, Span, Wanted
from ebpftop.model.readings import moment
from ebpftop.model.run import Run
from ebpftop.model.scope import Aspect
from ebpftop.model.selection import Choice, choice_of, choices_of, function_choice
from ebpftop.model.stacks import Profile, StackFrame, compared, grown, profile, recent, sampled
from ebpftop.stats import formatting
from ebpftop.stats.flame import LESS, MORE, Paths
from ebpftop.ui.drawing.flame_lines import FlameState
from ebpftop.ui.drawing.names import OWN, Processes
from ebpftop.ui.drawing.spans import length, span_words
from ebpftop.ui.widgets.cached import Row
from ebpftop.ui.widgets.flame_frame import FlameFrame
from ebpftop.ui.widgets.function_rows import GREW, compared_rows, function_rows
from ebpftop.ui.widgets.panel import GridFrame, ViewPanel, without
from ebpftop.ui.widgets.strip import StripPlot, when
from ebpftop.ui.widgets.strip_frame import StripFrame
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

WIDE = 140  # cells from which graph and functions are shown side by side
TALL = 30  # lines from which the strip leaves room for the graph


class StacksPanel(ViewPanel):
    DEFAULT_CSS = """
    StacksPanel {
        & FlameFrame { width: 2fr; }
        & TableFrame { width: 1fr; display: none; }
        &.-functions TableFrame { display: block; }
        &.-functions FlameFrame { display: none; }
        &.-wide TableFrame { display: block; }
        &.-wide FlameFrame { display: block; }
        & > StripFrame { display: none; }
        &.-past > StripFrame { display: block; }
        &.-past > Row { display: none; }
        &.-past.-sliced > StripFrame { display: none; }
        &.-past.-sliced > Row { display: block; }
        &.-past.-tall > StripFrame { display: block; }
        &.-past.-tall > Row { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "search", "search", tooltip="Search functions and show their share", id="search-functions"),
        Binding(
            "u", "look('functions')", "functions", tooltip="List functions; show growth from now on", id="functions"
        ),
        Binding("U", "look('growth')", "growth", id="growth"),
        Binding("backspace", "whole", "whole span", tooltip="Go back from a slice of the strip to the whole span"),
    ]

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view)
        self.mark: int | None = None  # the moment from which growth is shown, monotonic ns
        self._run: Run | None = None
        self._drawn: object = None  # what the last drawing was made from
        self.graph = FlameFrame(view.title)
        self.functions = TableFrame("functions", TableGrid("own", picks=True))
        self.strip = StripFrame(view) if view.moments else None
        self.slice: Slice | None = None  # the single samples that the graph shows
        self._compares = False  # whether the functions are those of A and B

    def compose(self) -> Iterable[Widget]:
        if self.strip is not None:
            yield self.strip
        yield Row(self.graph, self.functions)

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-wide")
        self.set_class(self.size.height >= TALL, "-tall")
        if self.strip is not None:
            self.strip.take(self.size.height // 2 if self.has_class("-tall") else None)
        self.post_message(self.Stale())

    @property
    def grid_frame(self) -> GridFrame | None:
        return self._grid_frame if self._has_graph else None

    @property
    def _has_strip(self) -> bool:
        return self.has_class("-past") and (self.has_class("-tall") or self.slice is None)

    @property
    def _has_graph(self) -> bool:
        return not self.has_class("-past") or self.has_class("-tall") or self.slice is not None

    @property
    def _grid_frame(self) -> GridFrame:
        wide = self.has_class("-wide")
        functions = self.functions.has_focus_within if wide else self.has_class("-functions")
        return self.functions if functions else self.graph

    @property
    def stops(self) -> list[Widget]:
        both = self.has_class("-wide")
        grids = [self.graph.grid, self.functions.grid] if both else [self._grid_frame.grid]
        plots: list[Widget] = [self.strip.plot] if self.strip is not None and self._has_strip else []
        return [*plots, *(grids if self._has_graph else [])]

    def reads(self, wanted: Wanted) -> Wanted:
        return Recent(inf, wanted.end) if self.view.gauge else recent(wanted)

    def moves(self, wanted: Wanted) -> Wanted:
        return recent(wanted)  # of gauges too, which show their values at its end

    def aspect(self, run: Run) -> Aspect:
        end = run.last.monotonic_ns if run.last else 0
        since = self.mark if self.mark is not None and self.mark <= end and self.against is None else None
        return replace(super().aspect(run), slice=self.slice, since=since, query=self.graph.wanted)

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        self._run = run
        if self.mark is not None and (run.last is None or run.last.monotonic_ns < self.mark):
            self.mark = None  # a tape went back
        if self.strip is not None and self._has_strip:
            self.strip.show(run, wanted, self.selection, self.aspect(run))
        if not self._has_graph:
            return
        lists = self.has_class("-wide") or self.has_class("-functions")  # whether the functions are seen
        wanted = self.reads(wanted)
        now = moment(run, wanted)
        moments = run.moments.get(self.view.name) if self.slice is not None else None
        known = moments.total if moments is not None else 0
        shown = (self.graph.wanted, self.mark, lists, self.with_own, self.selection, self.slice, known, self.against)
        made_of = (id(run.stacks), run.stacks.revision, now, *shown)
        if made_of == self._drawn:
            return
        self._drawn = made_of
        found, covered, than = self._found(run, wanted)
        self.graph.title = self.title
        left_out = 0
        if self.leaves_out(run):
            own = own_rows(self.view.by_columns, found.keys, len(found), processes)
            left_out = int(found.counts[own].sum())
            found = found.take(np.flatnonzero(~own))
        heads, searched = _whose(self.view, found, processes)
        if self.graph.wanted:
            words = words_of(self.graph.wanted)
            rows = [row for row, each in enumerate(searched) if holds(each, words)]
            found, heads = found.take(np.array(rows, np.intp)), [heads[row] for row in rows]
            searched = [searched[row] for row in rows]
        paths, frames = found.paths(heads)
        self.functions.span_words = covered
        self.graph.span_words = covered + (f", {MORE} more and {LESS} less than {than}" if than else "")
        self.graph.left_out = without(formatting.value(left_out, self.view.unit)) if left_out else ""
        self.graph.grid.show(FlameState(paths, frames, found, searched, bool(self.view.by), self.view.unit))
        self.graph.retitle()
        if lists:
            self._list(paths, frames, found, compares=bool(than) and self.against is not None)

    def _found(self, run: Run, wanted: Wanted) -> tuple[Profile, str, str]:
        """What is drawn, the time that it covers, and what it is compared with, if anything."""
        view, selection = self.view, self.selection
        if self.slice is not None:
            return (
                sampled(run, view, self.slice.span, self.slice.cpu, selection),
                _slice_words(run, view, self.slice),
                "",
            )
        covered = span_words(run, view, wanted)
        if self.against is not None:
            found = compared(run, view, self.against, wanted, selection)
            if found.before is not None:
                return found, f"B {covered}", "A"  # when that was, the header says
            return found, f"B {covered} · A {span_words(run, view, self.against)}", ""
        end = min(run.last.monotonic_ns, wanted.end) if run.last else 0
        if self.mark is not None and self.mark <= end:
            found = grown(run, view, Span(self.mark, end), selection)
            return found, f"last {length((end - self.mark) / 1e9)}", "before"
        return profile(run, view, wanted, selection), covered, ""

    def _list(self, paths: Paths, frames: list[StackFrame], found: Profile, *, compares: bool) -> None:
        """Show the functions; while spans are compared, those that grew most come first."""
        grid = self.functions.grid
        if compares is not self._compares:
            self._compares, grid.sort, grid.descending = compares, GREW if compares else "own", True
        rows = compared_rows if compares else function_rows
        grid.show(rows(paths, frames, found, self.view.unit))

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        """The function under the cursor, or else the owner of these stacks."""
        graph, shown = self.graph.grid, self.grid_frame
        if shown is None:
            return [], []
        if shown is self.functions:
            key = self.functions.grid.pointed().get("function")
            frame = next((each for each in graph.state.frames if key == function_key(*each)), None)
            return ([] if frame is None else [function_choice(*frame, frame.label)]), []
        pointed = graph.pointed()
        if pointed is None:
            return [], []
        frame, rows = pointed
        if frame.side != "head":
            return [function_choice(*frame, frame.label)], []
        return _owner(self.view, graph.state.profile, rows, processes)

    def let_go(self) -> bool:
        plot = self.strip.plot if self.strip is not None and self._has_strip else None
        if plot is not None and plot.has_focus and plot.let_go():
            return True
        if self._has_graph:
            frame = self.functions if self._grid_frame is self.functions else self.graph
            if frame.let_go():
                return True
        if self.slice is not None:
            self.action_whole()
            return True
        return plot is not None and plot.let_go()

    # ------------------------------------------------------------ the strip

    @property
    def has_past(self) -> bool:
        return self.strip is not None

    def toggle_past(self) -> None:
        if self.strip is not None:
            inside = self.has_focus_within
            self.toggle_class("-past")
            self._show_slice(None)
            if inside:
                self.screen.set_focus(self.stops[0])

    def on_strip_plot_zoomed(self, event: StripPlot.Zoomed) -> None:
        event.stop()
        self._show_slice(Slice(event.span, self.strip.cpu if self.strip else None))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "whole" or self.slice is not None

    def action_whole(self) -> None:
        self._show_slice(None)

    def _show_slice(self, part: Slice | None) -> None:
        self.slice = part
        self.set_class(part is not None, "-sliced")
        self.post_message(self.Stale())
        self.refresh_bindings()
        if self.has_focus_within and self.screen.focused not in self.stops:
            self.screen.set_focus(self.stops[0])

    def action_search(self) -> None:
        self.remove_class("-functions")
        self.graph.ask_search()

    def action_look(self, what: Literal["functions", "growth"]) -> None:
        if what == "growth":
            last = self._run.last if self._run else None
            self.mark = last.monotonic_ns if last and self.mark is None else None
            self.post_message(self.Stale())
        elif self.has_class("-wide"):
            self.screen.set_focus((self.graph if self.functions.has_focus_within else self.functions).grid)
        else:
            self.toggle_class("-functions")
            self.post_message(self.Stale())
            self.screen.set_focus(self._grid_frame.grid)

    @property
    def left_out(self) -> str:
        return self.graph.left_out

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        event.stop()
        graph = self.graph.grid
        frame = next((each for each in graph.state.frames if event.key == (function_key(*each),)), None)
        graph.pin(None if frame == graph.pinned else frame)
        if not self.has_class("-wide"):
            self.action_look("functions")


def _slice_words(run: Run, view: ViewInfo, part: Slice) -> str:
    """`08:33:46.250 for 300 ms · CPU 1 · one sample each 20 ms`."""
    offset = run.last.realtime_ns - run.last.monotonic_ns if run.last else 0
    moments = run.moments.get(view.name)
    period = float(f"{moments.period:.2g}") if moments is not None else 0.0
    each = f" · one sample each {formatting.value(period, 'ns')}" if period else ""
    return f"{when(part.span, offset)} · {'all CPUs' if part.cpu is None else f'CPU {part.cpu}'}{each}"


def _owner(view: ViewInfo, found: Profile, rows: Array, processes: Processes) -> tuple[list[Choice], list[Choice]]:
    """The values that can select stacks of one owner: several processes by their name."""
    keys = {name: take(values, rows) for name, values in found.keys.items()}
    one = {name: values for name, values in keys.items() if len(set(texts(values))) == 1}
    alone, shared = choices_of(view, row_of(view, one, 0), processes)
    process = view.process_field
    if process in keys and process not in one and (known := processes.get(int(texts(keys[process])[0]))):
        by_name = choice_of(view, process, "name", known.comm, processes)
        alone = [by_name, *alone] if by_name else alone
    return alone, shared


def texts(values: Values) -> list[int | str]:
    return [*values.texts()] if isinstance(values, Labels) else values.tolist()


def _whose(view: ViewInfo, found: Profile, processes: Processes) -> tuple[list[str], list[str]]:
    """(owner of each row, the text that a filter searches): empty if the view doesn't distinguish owners."""
    owners = [_owners(found.keys[info.field], info.is_process, processes) for info in view.by_columns]
    return (
        [" ".join(name for name, _ in row) for row in zip(*owners, strict=True)],
        [" ".join(searched for _, searched in row) for row in zip(*owners, strict=True)],
    )


def _owners(values: Values, is_process: bool, processes: Processes) -> list[tuple[str, str]]:
    """All processes with one name are one owner; a filter also finds their pids."""
    if isinstance(values, Labels):
        return [(label, label) for label in values.texts()]
    owners: dict[int, tuple[str, str]] = {}
    for number in np.unique(values).tolist():
        process = processes.get(number) if is_process else None
        if process is not None:
            name = f"{process.comm} {OWN}" if process.own else process.comm
            owners[number] = (name, f"{name} {process.tgid}")
        else:
            name = "(unknown process)" if is_process else str(number)
            owners[number] = (name, name)
    return [owners[number] for number in values.tolist()]
