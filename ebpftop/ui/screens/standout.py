"""What stands out in a region of a heatmap: values of key fields with an unusual share, over all running probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Self

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from ebpftop.model.readings import of_past
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.standouts import Finding, elsewhere, in_region, share
from ebpftop.stats.slots import LIMIT, SLOTS, slot_of
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.messages import ProcessAsked
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.findings import EXPLAINS, finding_rows, sentence
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.panel import ViewPanel, words
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.view_panels import HistogramPanel

TITLE = "What stands out"
ELSEWHERE = "In other probes at that time"
# In the region, and at that time in other views; and how much of all values the region holds.
Found = tuple[Sequence[Finding], Sequence[Finding], float]


class FindingsGrid(TableGrid):
    """A table of findings, in which Enter chooses."""

    def __init__(self) -> None:
        super().__init__(EXPLAINS, picks=True)
        self.searched = False

    @property
    def empty(self) -> str:
        return super().empty if self.wanted else "nothing stands out" if self.searched else "searching…"


class StandoutScreen(Leaving[Finding | None]):
    """Its result is the chosen row.

    about: the region in words. search: computes what is shown; it may take a moment.
    """

    DEFAULT_CSS = """
    StandoutScreen {
        background: $background;
        & > #answer { height: 1; padding: 0 1; text-style: bold; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "next", key_display="Tab", tooltip="Go to the other table"),
        Binding("f", "filter", "filter", priority=True, tooltip="Filter rows as you type", id="filter"),
        Binding("P", "process", "process", tooltip="Open the page of the row's process", id="process"),
        Binding("escape", "let_go", "back", key_display="Esc", tooltip="Go back to the dashboard"),
        Binding("x", "let_go", "back", show=False, id="stands-out"),
    ]

    def __init__(self, about: str, processes: Processes, search: Callable[[], Found]) -> None:
        super().__init__()
        self.about = about
        self.answer = Static(markup=False, id="answer")
        self.here_grid = FindingsGrid()
        self.here = TableFrame(TITLE, self.here_grid)
        self.elsewhere = TableFrame(ELSEWHERE, FindingsGrid())
        self._processes = processes
        self._search = search
        self._found: Found = ((), (), 0.0)

    @classmethod
    def of(cls, session: Session, run: Run, panel: ViewPanel, asked: HeatmapPlot.Asked) -> Self:
        """About a region of the panel's heatmap, for the key it shows alone or for all."""
        view, region = panel.view, asked.region
        slots = range(slot_of(region.low), slot_of(region.high) if region.high < LIMIT else SLOTS)
        alone = panel.key if isinstance(panel, HistogramPanel) else None
        key = dict(zip(view.by, alone, strict=True)) if alone else None
        selection = panel.selection

        def search() -> Found:
            only = of_past(run, view, key, selection)
            span, around, people = region.span, asked.around, session.processes
            return (
                in_region(run, view, people, span, slots, around=around, only=only),
                elsewhere(session.runs.values(), people, span, around=around, but=(run.id, view.name)),
                share(run, view, span, slots, around=around, only=only),
            )

        return cls(asked.words, session.processes, search)

    def compose(self) -> Iterable[Widget]:
        yield self.answer
        yield self.here
        yield self.elsewhere
        yield KeyLine()

    def on_mount(self) -> None:
        self.here.span_words = self.about
        self.here.entitle(words(TITLE, self.about))
        self.set_focus(self.here.grid)
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        here, others, held = self._found = self._search()
        people = self._processes
        self.here_grid.searched = True
        self.answer.update(inert(sentence(here, others, people, held)))
        self.elsewhere.display = bool(others)
        self.here.grid.show(finding_rows(here, people, inside="inside", outside="outside", probes=False))
        if others and not here:
            self.set_focus(self.elsewhere.grid)
        self.elsewhere.grid.show(finding_rows(others, people, inside="then", outside="otherwise", probes=True))

    def _frame(self) -> TableFrame:
        """The one with the focus."""
        return self.elsewhere if self.elsewhere.has_focus_within else self.here

    def _listed(self, elsewhere: bool) -> Sequence[Finding]:
        return self._found[1] if elsewhere else self._found[0]

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        event.stop()
        if event.key is not None:
            found = self._listed(event.table is self.elsewhere.grid)
            self.dismiss(found[int(event.key[0])])

    def on_grid_whole(self, event: Grid.Whole) -> None:
        self.app.push_screen(RowScreen(TITLE, event.fields))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "filter":
                return not isinstance(self.focused, Input)
            case "other":
                return bool(self.elsewhere.display)
        return True

    def action_other(self) -> None:
        other = self.here if self._frame() is self.elsewhere else self.elsewhere
        self.set_focus(other.grid)

    def action_process(self) -> None:
        frame = self._frame()
        found = self._listed(frame is self.elsewhere)
        frame.grid.point()
        row = found[int(frame.grid.kept[0])] if frame.grid.kept is not None else None
        if row is not None and row.column.is_process and not row.trait and isinstance(row.value, int):
            self.post_message(ProcessAsked(row.value))
        else:
            self.notify("this row isn't about one process", markup=False)

    def action_filter(self) -> None:
        self._frame().ask_filter()

    def action_let_go(self) -> None:
        if not self._frame().let_go():
            self.dismiss(None)
