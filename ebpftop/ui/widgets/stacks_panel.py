"""Call stacks: a flame graph, and the functions with the largest values, beside it or instead of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.run import Run
from ebpftop.model.stacks import Mark, Profile, Recent, StackFrame, profile
from ebpftop.stats import formatting
from ebpftop.stats.flame import Paths
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import Piece, fit
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.drawing.query import holds, words_of
from ebpftop.ui.widgets.flame import LESS, MORE, Flame, FlameState
from ebpftop.ui.widgets.grid import BAR, GridColumn
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.panel import GridFrame, ViewPanel, words
from ebpftop.ui.widgets.rows import Rows, TableColumn
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

WIDE = 140  # cells from which graph and functions are shown side by side


class Details(Words):
    """One line about the frame under the cursor."""

    DEFAULT_CSS = """
    Details { height: 1; }
    """
    pieces: reactive[list[Piece]] = reactive(list, repaint=False)

    def watch_pieces(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        return fit(self.pieces, [], self.size.width) if self.pieces else Content("")


class FlameFrame(GridFrame):
    """The graph in its frame. Its input line filters by process, or searches functions."""

    grid: Flame

    def __init__(self, title: str) -> None:
        super().__init__(Flame())
        self.title = title
        self.window_words = ""
        self.wanted = ""  # the filter
        self.left_out = ""  # the value of ebpftop's own stacks, where they aren't shown
        self.details = Details()
        self._searching = False

    def compose(self) -> Iterable[Widget]:
        yield from super().compose()
        yield self.details

    def ask_filter(self) -> None:
        self._ask(False, self.wanted)

    def ask_search(self) -> None:
        self._ask(True, self.grid.wanted)

    def _ask(self, searching: bool, value: str) -> None:
        self._searching = searching
        self.filter.placeholder = "search functions" if searching else "filter by process"
        self.filter.value = value
        super().ask_filter()

    def search(self, query: str) -> None:
        if self._searching:
            self.grid.search(query)
        elif query != self.wanted:
            self.wanted = query
            self.post_message(ViewPanel.Stale())

    def let_go(self) -> bool:
        """Clear the search or filter, else one zoom, else the cursor."""
        if self.grid.searched or self.wanted:
            self._searching = bool(self.grid.searched)
            self.search("")
            self.drop_filter()
            return True
        if self.grid.zoom_out():
            return True
        if self.grid.cursor is not None:
            self.grid.let_go()
            return True
        return False

    def on_flame_arranged(self, event: Flame.Arranged) -> None:
        event.stop()
        self.retitle()

    def retitle(self) -> None:
        graph = self.grid
        parts = [self.title, self.window_words, formatting.value(graph.state.paths.total, graph.state.unit)]
        if self.wanted:
            parts.append(f"matching “{self.wanted}”")
        if graph.zoom:
            parts.append(f"zoomed into {graph.zoom[-1].label}")
        if graph.searched:
            parts.append(f"{formatting.percent(graph.share)} through “{graph.searched}”")
        if self.left_out:
            parts.append(f"without ebpftop's own {self.left_out} (m)")
        self.entitle(words(*parts))
        self.details.pieces = graph.about


class StacksPanel(ViewPanel):
    DEFAULT_CSS = """
    StacksPanel {
        layout: horizontal;
        & > FlameFrame { width: 2fr; }
        & > TableFrame { width: 1fr; display: none; }
        &.-functions > TableFrame { display: block; }
        &.-functions > FlameFrame { display: none; }
        &.-wide > TableFrame { display: block; }
        &.-wide > FlameFrame { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "search", "search", tooltip="Search functions and show their share"),
        Binding("x", "look('functions')", "functions", tooltip="Functions; growth; ebpftop's own"),
        Binding("b", "look('growth')", "growth"),
        Binding("m", "look('own')", "ebpftop's own", show=False),
    ]

    def __init__(self, view: ViewInfo) -> None:
        super().__init__(view)
        self.mark: Mark | None = None  # the moment from which growth is shown
        self._run: Run | None = None
        self._drawn: object = None  # what the last drawing was made from
        self._recent = Recent()
        self._seconds = 0.0  # covered by what is drawn, 0 for all since attaching
        self._with_own = False
        self.graph = FlameFrame(view.title)
        self.functions = TableFrame("functions", TableGrid("own", picks=True))

    def compose(self) -> Iterable[Widget]:
        yield self.graph
        yield self.functions

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-wide")
        self.post_message(self.Stale())

    @property
    def grid_frame(self) -> GridFrame:
        wide = self.has_class("-wide")
        functions = self.functions.has_focus_within if wide else self.has_class("-functions")
        return self.functions if functions else self.graph

    @property
    def stops(self) -> list[Widget]:
        both = self.has_class("-wide")
        return [self.graph.grid, self.functions.grid] if both else [self.grid_frame.grid]

    def show(self, run: Run, processes: Processes) -> None:
        self._run = run
        if self.mark is not None and not self.mark.fits(run):
            self.mark = None
        lists = self.has_class("-wide") or self.has_class("-functions")  # whether the functions are seen
        moment = run.last.realtime_ns if run.last else 0
        shown = (self.window, self.graph.wanted, self.mark, lists, self._with_own)
        made_of = (id(run.stacks), run.stacks.revision, moment, *shown)
        if made_of == self._drawn:
            return
        self._drawn = made_of
        found = self._profile(run)
        own = _own(self.view, found, processes)
        left_out = 0
        if not self._with_own and "pid" not in run.params:
            left_out = int(found.counts[own].sum())
            found = found.take(np.flatnonzero(~own))
        heads, searched = _whose(self.view, found, processes)
        if self.graph.wanted:
            words = words_of(self.graph.wanted)
            rows = [row for row, each in enumerate(searched) if holds(each, words)]
            found, heads = found.take(np.array(rows, np.intp)), [heads[row] for row in rows]
            searched = [searched[row] for row in rows]
        paths, frames = found.paths(heads)
        self.graph.window_words = self.functions.window_words = self.window_words(run)
        if self.mark is not None:
            self.graph.window_words += f", {MORE} more and {LESS} less than before"
        self.graph.left_out = formatting.value(left_out, self.view.unit) if left_out else ""
        self.graph.grid.show(FlameState(paths, frames, found, searched, bool(self.view.by), self.view.unit))
        self.graph.retitle()
        if lists:
            self.functions.grid.show(function_rows(paths, frames, self.view.unit))

    def _profile(self, run: Run) -> Profile:
        """What the window holds, or what was gained since the mark."""
        self._seconds = 0.0
        if self.mark is not None or self.window == "start":
            return profile(run, self.view, "start", self.mark)
        found, self._seconds = self._recent.profile(run, self.view)
        return found

    def let_go(self) -> bool:
        return self.functions.let_go() if self.grid_frame is self.functions else self.graph.let_go()

    def action_search(self) -> None:
        self.remove_class("-functions")
        self.graph.ask_search()

    def action_look(self, what: Literal["functions", "growth", "own"]) -> None:
        if what == "own":
            self._with_own = not self._with_own
            self.post_message(self.Stale())
        elif what == "growth":
            self.mark = Mark.now(self._run, self.view) if self._run and self.mark is None else None
            self.post_message(self.Stale())
        elif self.has_class("-wide"):
            (self.graph if self.functions.has_focus_within else self.functions).grid.focus()
        else:
            self.toggle_class("-functions")
            self.post_message(self.Stale())
            self.call_after_refresh(self.grid_frame.grid.focus)

    def window_words(self, run: Run) -> str:
        seconds = self._seconds
        if self.mark is not None and run.last is not None:
            seconds = (run.last.monotonic_ns - self.mark.monotonic_ns) / 1e9
        return (
            f"last {formatting.duration((round(seconds, 1) or seconds) * 1e9)}"
            if seconds or self.mark
            else "since start"
        )

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        event.stop()
        graph = self.graph.grid
        frame = next((each for each in graph.state.frames if event.key == (_key(each),)), None)
        graph.pin(None if frame == graph.pinned else frame)
        if not self.has_class("-wide"):
            self.action_look("functions")


def _own(view: ViewInfo, found: Profile, processes: Processes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """A mask of the rows that are about ebpftop's own processes."""
    own = np.zeros(len(found), bool)
    for info in view.by_columns:
        values = found.keys[info.field]
        if info.is_process and not isinstance(values, Labels):
            ours = [number for number in np.unique(values).tolist() if (one := processes.get(number)) and one.own]
            own |= np.isin(values, ours)
    return own


def _whose(view: ViewInfo, found: Profile, processes: Processes) -> tuple[list[str], list[str]]:
    """(whose stack each row is, what a filter searches for it): nothing where the view doesn't distinguish."""
    owners = [_owners(found.keys[info.field], info.is_process, processes) for info in view.by_columns]
    return (
        [" ".join(name for name, _ in row) for row in zip(*owners, strict=True)],
        [" ".join(searched for _, searched in row) for row in zip(*owners, strict=True)],
    )


def _owners(values: Values, is_process: bool, processes: Processes) -> list[tuple[str, str]]:
    """All processes of one name are one owner; a filter finds their numbers too."""
    if isinstance(values, Labels):
        return [(label, label) for label in values.texts()]
    owners: dict[int, tuple[str, str]] = {}
    for number in np.unique(values).tolist():
        process = processes.get(number) if is_process else None
        if process is not None:
            owners[number] = (process.comm, f"{process.comm} {process.tgid}")
        else:
            name = "(unknown process)" if is_process else str(number)
            owners[number] = (name, name)
    return [owners[number] for number in values.tolist()]


def _key(frame: StackFrame) -> str:
    return "\0".join(frame)


def function_rows(paths: Paths, frames: list[StackFrame], unit: str) -> Rows:
    """Functions with their own value, that of stacks which end in them, and the total of stacks that hold them."""
    own, total = paths.totals(len(frames))
    shown = np.array([at for at, frame in enumerate(frames) if frame.side != "head" and total[at]], np.intp)
    own, total, whole = own[shown], total[shown], max(1, paths.total)
    listed = [frames[at] for at in shown.tolist()]
    texts = [frame.label for frame in listed]
    modules = [frame.origin for frame in listed]
    codes = np.arange(len(listed))
    keys: dict[str, Values] = {"function": Labels(codes, [_key(frame) for frame in listed])}

    def number(name: str, title: str, values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[TableColumn]:
        share = TableColumn(
            GridColumn(f"{name}%", "%", numeric=True, quiet=True, least=5),
            lambda row: formatting.percent(round(100 * values[row] / whole, 1)),
            lambda: values,
        )
        value = TableColumn(
            GridColumn(name, title, numeric=True, least=7),
            lambda row: formatting.value(int(values[row]), unit),
            lambda: values,
        )
        return [value, share]

    def named(name: str, title: str, values: list[str], column: GridColumn) -> TableColumn:
        return TableColumn(
            column, lambda row: inert(values[row]), lambda: np.argsort(np.argsort(values)), lambda: values
        )

    return Rows(
        count=len(listed),
        keys=keys,
        columns=[
            *number("own", "own", own),
            *number("total", "total", total),
            named(
                "function",
                "function",
                texts,
                GridColumn("function", "function", least=16, most=60, stretch=True, priority=1),
            ),
            TableColumn(GridColumn(BAR, "", least=6, most=16), lambda row: "", lambda: np.zeros(0)),
            named("module", "module", modules, GridColumn("module", "module", quiet=True, least=8, most=40)),
        ],
        about=lambda row: f"{texts[row]} {modules[row]}".rstrip(),
    )
