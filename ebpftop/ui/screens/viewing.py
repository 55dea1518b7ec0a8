"""The keys of the view in front, and its requests: to filter it, to switch to other views, to export it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.selecting import Selecting
from ebpftop.ui.widgets.panes import Panes
from ebpftop.ui.widgets.runs import RunPane

if TYPE_CHECKING:
    from ebpftop.model.standouts import Finding
    from ebpftop.ui.widgets.grid import Grid
    from ebpftop.ui.widgets.heatmap import HeatmapPlot
    from ebpftop.ui.widgets.panel import ViewPanel


class Viewing(Selecting):
    """A screen that shows one run at a time. panes: one per run."""

    FILTERING: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "filter", priority=True, tooltip="Filter rows or events as you type", id="filter"),
        Binding("M", "own", "ebpftop's own", show=False, tooltip="Show or hide ebpftop's own processes", id="own"),
    ]
    TURNING: ClassVar[list[BindingType]] = [
        Binding("o", "past", "over time", tooltip="Show a histogram, or samples, over time", id="over-time"),
        Binding("n", "view(1)", "next view", tooltip="Show the probe's next view", id="next-view"),
        Binding("N", "view(-1)", "previous view", show=False, id="previous-view"),
        Binding(
            "E",
            "export",
            "export",
            show=False,
            tooltip="Export the view, all probes or a report to a file",
            id="export",
        ),
        Binding(
            "y", "copy", "copy", show=False, tooltip="Copy the row under the cursor, else the view, as text", id="copy"
        ),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.panes = Panes()

    @property
    def pane(self) -> RunPane | None:
        """The pane of the run in front."""
        raise NotImplementedError

    async def bring(self, run: int, *, focus: bool = False) -> None:
        """Bring a run to the front; with `focus` the focus too."""
        raise NotImplementedError

    async def turn_to(self, run: int, view: str) -> ViewPanel | None:
        """Bring a run's view to the front; None if it no longer has a panel."""
        if self.panes.of(run) is None:
            return None
        await self.bring(run, focus=True)
        return self.pane.turn_to(view) if self.pane is not None else None

    # ------------------------------------------------------------ what a view asks for

    def on_grid_whole(self, event: Grid.Whole) -> None:
        from ebpftop.ui.screens.row import RowScreen

        self.app.push_screen(RowScreen(self.panel.view.title if self.panel else "", event.fields))

    def on_heatmap_plot_asked(self, event: HeatmapPlot.Asked) -> None:
        from ebpftop.ui.screens.standout import StandoutScreen

        if self.run is not None and self.panel is not None:
            screen = StandoutScreen.of(self.feed.session, self.run, self.panel, event)
            self.app.push_screen(screen, self._select)

    async def _select(self, found: Finding | None) -> None:
        """Select a finding everywhere, and show it in its own view."""
        from ebpftop.ui.widgets.findings import text_of

        if found is not None and self.panes.of(found.run) is not None:
            selects = self.select_found(found)
            if (panel := await self.turn_to(found.run, found.view.name)) is not None:
                if not selects and panel.grid_frame is not None:
                    panel.grid_frame.fill_filter(text_of(found, self.feed.session.processes))
                await self.draw_front()

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        panel = self.panel
        match action:
            case "filter":
                return panel is not None and panel.grid_frame is not None and not isinstance(self.focused, Input)
            case "own":
                return panel is not None and panel.ranks
            case "past":
                return panel is not None and panel.has_past
            case "view":
                return self.pane is not None and self.pane.hides_views
            case "copy":
                return panel is not None
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        if self.panel and self.panel.grid_frame:
            self.panel.grid_frame.ask_filter()

    async def action_own(self) -> None:
        if self.panel:
            self.panel.toggle_own()
            await self.draw_front()

    def action_past(self) -> None:
        if self.panel:
            self.panel.toggle_past()

    async def action_view(self, step: int) -> None:
        if self.pane:
            self.pane.turn(step)
            await self.draw_front()

    def action_export(self) -> None:
        from ebpftop.ui.screens.export import ExportScreen

        aspects = self.panes.aspects(self.feed.session)
        self.app.push_screen(ExportScreen(self.feed, self.run, self.panel, aspects))

    def action_copy(self) -> None:
        from ebpftop.ui.screens.export import copied

        if self.panel is not None and self.run is not None:
            self.app.copy_to_clipboard(copied(self.feed, self.run, self.panel))
            self.notify("copied, if the terminal allows it", markup=False)
