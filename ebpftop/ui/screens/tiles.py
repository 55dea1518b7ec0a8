"""A playbook: its probes side by side, each with the question it answers; one at a time on a small terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.frames.messages import Detach, Load, PlaybookInfo
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE
from ebpftop.ui.drawing.tiling import arrangement, page
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.failures import last_failed
from ebpftop.ui.screens.selecting import Selecting
from ebpftop.ui.screens.state import names, state_of, tab_of
from ebpftop.ui.widgets.cached import Box
from ebpftop.ui.widgets.keyboard import key_of
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.runs import RunTabs, Tab
from ebpftop.ui.widgets.tile import Tile, why_not
from ebpftop.ui.widgets.timeline import TWO

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.ui.widgets.panel import ViewPanel


class Tiles(Selecting):
    """Created from a playbook whenever somebody looks at it; the runs belong to the session.

    errors: why requests were refused, by lineage.
    """

    DEFAULT_CSS = """
    Tiles {
        layout: vertical;
        background: $background;
        & #title { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & RunTabs { display: none; }
        &.-paged RunTabs { display: block; }
        & #tiles { height: 1fr; layout: grid; grid-rows: 1fr; grid-columns: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "zoom", "zoom", key_display="Enter", tooltip="Open the tile's probe"),
        Binding("z", "zoom", show=False, id="tiles"),
        Binding(
            "shift+tab,left_square_bracket",
            "move(-1)",
            "previous tile",
            show=False,
            tooltip="Go to the previous or next tile",
        ),
        Binding("tab,right_square_bracket", "move(1)", "next", key_display="Tab"),
        Binding("left", "beside(-1)", "tile on the left", show=False, tooltip="Go to the tile on the left or right"),
        Binding("right", "beside(1)", "tile on the right", show=False),
        Binding("up,k", "across(-1)", "tile above", show=False, tooltip="Go to the tile above or below"),
        Binding("down,j", "across(1)", "tile below", show=False),
        Binding("M", "own", "ebpftop's own", show=False, tooltip="Show or hide ebpftop's own processes", id="own"),
        Binding("d", "detach", "detach", tooltip="Detach the probe; Enter reloads it", id="detach"),
        *Selecting.WIDENING,
        Binding("slash", "search", "search", key_display="/", priority=True, tooltip="Search the catalog", id="search"),
        Binding("f", "inside", show=False, tooltip="Filter or search, in an enlarged tile", id="filter"),
        Binding("F", "inside", show=False, id="search-functions"),
        Binding("escape", "app.tiles", "close", key_display="Esc", tooltip="Go to the dashboard"),
    ]

    class Zoomed(Message):
        """Open a run on the dashboard."""

        def __init__(self, run: int) -> None:
            super().__init__()
            self.run = run

    def __init__(self, feed: Feed, playbook: PlaybookInfo) -> None:
        super().__init__(feed)
        self.playbook = playbook
        self.current = 0
        self.strip = RunTabs()
        self.tiles = [Tile(at, step) for at, step in enumerate(playbook.steps)]
        self.errors: dict[int, str] = {}
        self._lineages: dict[int, int] = {}  # of what tiles requested, by tile
        self._names = names(playbook.steps)
        self._shape = (1, 1)  # columns and rows

    def compose(self) -> Iterable[Widget]:
        yield from self.compose_above()
        title = (inert(self.playbook.title), "bold"), f"   {inert(self.playbook.summary)}"
        yield Static(Content.assemble(*title), markup=False, id="title")
        yield self.strip
        with Box(id="tiles"):
            yield from self.tiles
        yield KeyLine()

    async def on_mount(self) -> None:
        self._place()
        await self.redraw()
        self._focus()

    # ------------------------------------------------------------ loading

    async def load(self, loads: Sequence[Load] = ()) -> None:
        """Load every probe that can run here and doesn't yet. loads: requests for the steps that have been sent
        already.
        """
        numbers = [load.request for load in loads]
        sent: dict[object, int] = {}  # lineages: steps that are alike share one load
        for tile in self.tiles:
            run, probe = self._run(tile), self.probe(tile.step.probe)
            if probe and probe.available is not False and (run is None or state_of(run, self.feed.over) == "detached"):
                key = (tile.step.probe, *sorted(tile.step.params.items()))
                if key not in sent:
                    sent[key] = await self._load(tile, numbers[tile.at] if tile.at < len(numbers) else 0)
                self._lineages[tile.at] = sent[key]

    async def _load(self, tile: Tile, number: int = 0) -> int:
        """Request a step's probe. Returns the lineage, 0 if nothing can be requested."""
        if not self.feed.source.live:
            return 0
        step = tile.step
        lineage = await self.feed.load(step.probe, step.params, "playbook", number=number)
        self._lineages[tile.at] = lineage
        return lineage

    def refused(self, lineage: int, error: str) -> bool:
        """Record why a step wasn't loaded; False if it isn't a step of this playbook."""
        mine = lineage in self._lineages.values()
        if mine:
            self.errors[lineage] = error
        return mine

    def shows(self, run: Run) -> bool:
        """Whether a tile is about this run."""
        return any((mine := self._run(tile)) is not None and mine.id == run.id for tile in self.tiles)

    def sees(self, run: Run) -> bool:
        """Whether the values of this run are visible."""
        return any(tile.display and (mine := self._run(tile)) is not None and mine.id == run.id for tile in self.tiles)

    @property
    def run(self) -> Run | None:
        """The run of the current tile."""
        return self._run(self.tiles[self.current])

    @property
    def panel(self) -> ViewPanel | None:
        return self.tiles[self.current].panel

    def _run(self, tile: Tile) -> Run | None:
        """The run that a tile requested; otherwise the last existing run of its probe, or else the last one there was.
        Runs on a tape have the parameters of the recording.
        """
        lineage = self._lineages.get(tile.at)
        if lineage is not None and self.feed.requests.get(lineage):
            found = self.feed.runs_of(lineage)
        else:
            step, live = tile.step, self.feed.source.live
            runs = self.feed.session.runs.values()
            found = [run for run in runs if run.probe == step.probe and (run.params == step.params or not live)]
        there = [run for run in found if run.state not in ("rejected", "detached")]
        return next(reversed(there or found), None)

    def _error(self, tile: Tile) -> str:
        """Why a tile's request was refused."""
        return self.errors.get(self._lineages.get(tile.at, 0), "")

    # ------------------------------------------------------------ drawing

    async def redraw(self) -> None:
        self.draw_header()
        self.strip.tabs = tuple(self._tab(tile.at) for tile in self.tiles)
        self.strip.current = self.current
        for tile in self.tiles:
            if tile.display:
                run, probe = self._run(tile), self.probe(tile.step.probe)
                tile.selection = self.feed.selection
                why = why_not(probe, run, self._error(tile), self.feed.source.live, key_of(self.app, "verifier", "v"))
                processes, wanted = self.feed.session.processes, self.feed.when.wanted
                await tile.show(self._tab(tile.at), run, why, processes, wanted, self.feed.comparing)

    def _tab(self, at: int) -> Tab:
        """The sign and the name of a tile, with the tile's number."""
        tile = self.tiles[at]
        run = self._run(tile)
        if run:
            return replace(tab_of(run, self._names[at], state_of(run, self.feed.over)), run=at)
        probe = self.probe(tile.step.probe)
        if probe is None or probe.available is False or self._error(tile):
            return Tab(at, NOT_HERE, "$warning", self._names[at], "unavailable")
        return Tab(at, "◌" if self.feed.source.live else NOT_HERE, "$quiet", self._names[at])

    # ------------------------------------------------------------ layout

    def on_resize(self) -> None:
        self._place()
        self.call_after_refresh(self.redraw)

    def _place(self) -> None:
        """Show as many tiles as fit, including the current one; the last one takes the remaining width."""
        width, height = self.app.size
        above = 3 + (2 if height >= TWO else 1)  # header, title, keys, and the timeline
        columns, rows = self._shape = arrangement(len(self.tiles), width, height - above)
        if columns * rows < len(self.tiles):
            columns, rows = self._shape = arrangement(len(self.tiles), width, height - above - 1)  # and the tabs
        shown = page(len(self.tiles), self.current, columns * rows)
        self.set_class(len(shown) < len(self.tiles), "-paged")
        box = self.query_one("#tiles")
        box.styles.grid_size_columns = columns
        box.styles.grid_size_rows = min(rows, -(-len(shown) // columns))
        for tile in self.tiles:
            tile.display = tile.at in shown
            last = tile.at == shown[-1]
            tile.styles.column_span = columns - (len(shown) - 1) % columns if last else 1

    def _focus(self) -> None:
        self.call_after_refresh(self.tiles[self.current].focus)

    async def go(self, at: int) -> None:
        """Make a tile the current one and show its page."""
        self.current = at % len(self.tiles)
        self._place()
        await self.redraw()
        self._focus()

    def on_descendant_focus(self) -> None:
        if isinstance(self.focused, Tile):
            self.current = self.focused.at
        self.refresh_bindings()

    async def on_run_tabs_chosen(self, event: RunTabs.Chosen) -> None:
        await self.go(event.run)

    async def on_tile_opened(self) -> None:
        await self.action_zoom()

    # ------------------------------------------------------------ keys

    def chosen_failed(self) -> Run | None:
        """The failure of the current tile, or else the last of any."""
        return last_failed(self._run(self.tiles[self.current])) or last_failed(*map(self._run, self.tiles))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        run = self._run(self.tiles[self.current])
        match action:
            case "own":
                return self.panel is not None and self.panel.ranks
            case "detach":
                return self.feed.source.live and run is not None and run.state == "running"
        return super().check_action(action, parameters)

    async def action_move(self, step: int) -> None:
        await self.go(self.current + step)

    async def action_beside(self, step: int) -> None:
        await self.go(self.current + step)

    async def action_across(self, direction: int) -> None:
        await self.go(self.current + direction * self._shape[0])

    async def action_search(self) -> None:
        await self.app.run_action("app.tiles")
        await self.app.run_action("screen.search")  # the dashboard's, in front now

    def action_inside(self) -> None:
        """A key that works only in the probe's own pane."""
        f, search = key_of(self.app, "filter", "f"), key_of(self.app, "search-functions", "F")
        text = f"Enter opens the probe; there {f} filters its rows, and {search} searches a flame graph"
        self.notify(text, markup=False)

    async def action_zoom(self) -> None:
        tile = self.tiles[self.current]
        run = self._run(tile)
        if run and run.state in ("loading", "running", "detaching"):
            self.post_message(self.Zoomed(run.id))
        elif (probe := self.probe(tile.step.probe)) and probe.available is not False:
            await self._load(tile)

    async def action_own(self) -> None:
        if panel := self.panel:
            panel.toggle_own()
            self.tiles[self.current].forget()
            await self.redraw()

    async def action_detach(self) -> None:
        if run := self._run(self.tiles[self.current]):
            await self.feed.request(Detach(run=run.id))
