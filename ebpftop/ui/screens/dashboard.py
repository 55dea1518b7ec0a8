"""The main screen: the catalog on the left, the running probes on the right. The widgets do the drawing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from ebpftop.frames.messages import Describe, Detach
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import Changed, Chosen
from ebpftop.ui.screens.failures import last_failed, last_rejected
from ebpftop.ui.screens.state import run_states, state_of, tabs
from ebpftop.ui.screens.viewing import Viewing
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.cached import Column, Row
from ebpftop.ui.widgets.catalog import CatalogPanel
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.runs import RunPane, RunTabs
from ebpftop.ui.widgets.start import Start

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.ui.widgets.panel import ViewPanel

CHOSEN = 0.1  # seconds from a key in the catalog to its entry: the next key may come before
DESCRIBE = 5.0  # seconds between requests to describe the processes on the screen
NARROW = 100  # cells; below this width only the catalog or the probe is shown


class Dashboard(Viewing):
    DEFAULT_CSS = """
    Dashboard {
        layout: vertical;
        background: $background;
        & #body { height: 1fr; }
        & CatalogPanel { width: 34; }
        & #right { width: 1fr; }
        &.-roomy CatalogPanel { width: 40; }
        &.-narrow CatalogPanel { width: 1fr; }
        &.-narrow #right { display: none; }
        &.-narrow.-probe #right { display: block; }
        &.-narrow.-probe CatalogPanel { display: none; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal"), (160, "-roomy")]  # noqa: RUF012 (as Textual has it)
    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority bindings: they move the focus before the keys typed next are delivered to the focused widget.
        Binding(
            "slash",
            "search",
            "search",
            key_display="/",
            priority=True,
            tooltip="Search the catalog as you type",
            id="search",
        ),
        Binding("tab", "other(1)", "next", key_display="Tab", tooltip="Go to the next part of the screen"),
        Binding("shift+tab", "other(-1)", "previous part", show=False),
        *Viewing.FILTERING,
        *Viewing.SELECTING,
        *Viewing.WIDENING,
        *Viewing.TURNING,
        Binding("d", "detach", "detach", tooltip="Detach the probe; again: close its tab", id="detach"),
        Binding(
            "left_square_bracket",
            "tab(-1)",
            "previous probe",
            show=False,
            tooltip="Go to the previous or next probe",
            id="previous-probe",
        ),
        Binding("right_square_bracket", "tab(1)", "next probe", show=False, id="next-probe"),
        Binding("i", "info", "info", show=False, tooltip="Show the probe's catalog entry and its C", id="info"),
        Binding(
            "escape",
            "let_go",
            "clear",
            show=False,
            tooltip="Go back one step",
        ),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.catalog = CatalogPanel()
        self.tabs = RunTabs()
        self.about = About()
        self.start = Start()
        self.current: int | None = None  # the run in front
        self.informing = False  # whether the catalog entry is shown instead
        self.asking = feed.source.live  # whether the first screen is shown while there is no run
        self.settled = True  # false until a new stream has sent its state
        self.zoomed = False  # whether the run in front was opened from a tile, to which Esc goes back
        self.follows = False  # whether the focus goes to the run that was requested last
        self._focusing: int | None = None  # the run that gets the focus when it has something to focus
        self._put_away: set[int] = set()  # runs whose tabs were closed
        self._seen: set[int] = set()  # runs that had a tab
        self._choosing: Timer | None = None  # until the entry that was come to last is shown
        self._drawn_keys: list[bool | None] = []  # those that had something to do at the last drawing
        self.about.display = not self.asking
        self.start.display = self.asking
        self.set_class(self.asking, "-probe", update=False)

    def fit(self, width: int) -> None:
        """Set the classes for this width before mounting: each later change looks up all styles again."""
        self.add_class(max(each for each in self.HORIZONTAL_BREAKPOINTS if each[0] <= width)[1], update=False)

    def compose(self) -> Iterable[Widget]:
        yield from self.compose_above()
        with Row(id="body"):
            yield self.catalog
            with Column(id="right"):
                yield self.tabs
                with self.panes:
                    yield self.start
                    yield self.about
        yield KeyLine()

    async def on_mount(self) -> None:
        self.about.show([])
        self.catalog.listing.loads = self.feed.source.live
        self.set_focus(self.start if self.asking else self.catalog.listing)
        self.set_interval(DESCRIBE, self._describe)
        if self.feed.session.catalog is not None:  # it came first: one painting less
            await self.redraw()

    # ------------------------------------------------------------ drawing the session

    def began(self) -> None:
        """A new stream began: runs that it doesn't mention soon are gone."""
        self.settled = False
        self._put_away.clear()
        self._seen.clear()
        self.banner.close()
        self.set_timer(0.5, self._settle)

    def _settle(self) -> None:
        self.settled = True
        self.post_message(Changed())

    async def redraw(self) -> None:
        """Draw the session's current state; of frozen views, only what wasn't drawn yet."""
        session = self.feed.session
        self.catalog.show(session.catalog, run_states(session, self.feed.over))
        self.start.show(session.catalog.playbooks if session.catalog else None)
        shown = tabs(session, self._put_away, self.feed.over)
        if self.asking and (shown or not self._has_start):
            self.asking = False
            self.remove_class("-probe")
            self._focus(self.catalog.listing)
        if self.settled or shown or self._put_away:
            self.tabs.tabs = shown
            self._choose([tab.run for tab in shown])
        await self.panes.keep({tab.run for tab in shown}, session, settled=self.settled)
        await self.draw_front(anew=False)
        self.draw_header()

    def uncover(self) -> None:
        """Close the screens above."""
        while self.app.screen is not self and self in self.app.screen_stack:
            self.app.pop_screen()

    def sees(self, run: Run) -> bool:
        """Whether the values of this run are visible."""
        return run.id == self.current and self.pane is not None and self.pane.display

    def _choose(self, runs: list[int]) -> None:
        """Bring a run this user requested to the front when it starts; otherwise keep the current one."""
        requested = [run for run in runs if run not in self._seen and self.feed.is_mine(run)]
        self._seen.update(runs)
        if requested:
            self.current, self.informing, self.zoomed = requested[-1], False, False
            self.add_class("-probe")
            if self.follows:
                self.follows, self._focusing = False, requested[-1]
        elif self.current not in runs:
            first = 0 if self.feed.playback is not None else -1  # a tape begins at its beginning
            self.current = runs[first] if runs else None

    async def replaced(self, new: int, old: list[int]) -> None:
        """A probe's new version is running: it takes the old one's place, or the front if there was none."""
        self._put_away.update(old)
        if not old or self.current in old:
            self.current = new
            if not old:
                self.informing = False
        await self.redraw()

    async def draw_front(self, *, anew: bool = True) -> None:
        """Bring the current run, or the catalog entry, to the front and draw it; unless `anew`, only what is new."""
        self.tabs.current = self.current
        pane, run = self.pane, self.run
        front: Widget = pane if pane is not None and not (self.informing or self._searching) else self.about
        if pane is None and self.asking and self._has_start and not self.informing:
            front = self.start
        if self.panes.bring(front):  # what had the focus is hidden now: keys must not go there
            if front is pane:
                self._focusing = self.current
            else:
                self._focus(front)
        if front is pane and pane is not None and run is not None:
            from ebpftop.model.readings import moment

            wanted = self.feed.when.wanted
            described = self.feed.described if wanted.moves else 0
            pane.selection = self.feed.selection
            comparing = self.feed.comparing
            new = None if anew else (moment(run, wanted), described, comparing.state)
            processes = self.feed.session.processes
            await pane.show(run, self.probe(run.probe), processes, wanted, comparing, unless=new)
        elif front is self.about:
            self._draw_about()
        await self.feed.watch(lambda run: self.sees(run) and not self.feed.when.still)
        self._keep_focus_in_sight()
        if pane is not None and pane.stops and self._focusing == self.current and not self.informing:
            self._focusing = None
            if not pane.has_focus_within:  # a key may have moved it further, to the filter for one
                self._focus(pane.stops[0])
        keys = self._keys()
        if anew or keys != self._drawn_keys:
            self._drawn_keys = keys
            self.refresh_bindings()

    def _keys(self) -> list[bool | None]:
        """Which keys that don't depend on the focus have something to do now."""
        names = ("past", "view", "detach", "restart", "verifier", "tiles")
        return [each.check_action(name, ()) for name in names for each in (self, self.app)]

    def _draw_about(self) -> None:
        listing = self.catalog.listing
        failed = last_rejected(self.feed.session, listing.chosen.id) if listing.chosen else None
        self.about.show(listing.entry or listing.category, failed.failure if failed else None)

    async def _describe(self) -> None:
        """Refresh the processes on the screen: they may have executed another program."""
        ids = self.panel.identities_on_screen() if self.panel else []
        if ids and self.feed.source.live and self.feed.ended is None and not self.feed.still:
            await self.feed.request(Describe(processes=ids))

    # ------------------------------------------------------------ what the screen holds

    @property
    def run(self) -> Run | None:
        """The run in front."""
        return self.feed.session.runs.get(self.current) if self.current is not None else None

    @property
    def pane(self) -> RunPane | None:
        return self.panes.of(self.current)

    @property
    def panel(self) -> ViewPanel | None:
        """The view that keys act on."""
        return self.pane.panel if self.pane is not None and not self.informing else None

    @property
    def followed(self) -> ViewPanel | None:
        return self.pane.panel if self.pane is not None else None

    def chosen_failed(self) -> Run | None:
        """The last failure of all, or of the probe under the catalog's cursor if the catalog has the focus."""
        session, chosen = self.feed.session, self.catalog.listing.chosen
        rejected = last_rejected(session, chosen.id) if chosen else None
        if rejected is not None and self.catalog.has_focus_within:
            return rejected
        stopped = (run for run in self.feed.session.runs.values() if run.stopped)
        return last_failed(rejected or last_rejected(session), *stopped)

    # ------------------------------------------------------------ messages from the widgets

    @property
    def _has_start(self) -> bool:
        """Whether the first screen has something to ask, or will have once the catalog is there."""
        return self.feed.source.live and self.start.answers != []

    @property
    def _searching(self) -> bool:
        """Whether the entry of the best match is shown instead of a run."""
        return self.catalog.search.has_focus and bool(self.catalog.search.value)

    def on_chosen(self, event: Chosen) -> None:
        """A long entry takes a while to paint: first paint the effect of the keys that lead to it."""
        if self._choosing is not None:
            self._choosing.stop()
        if self._searching or self.about.display:
            self._choosing = self.set_timer(CHOSEN, self.draw_front)

    async def on_descendant_blur(self) -> None:
        if self.about.display and self.pane is not None and not self.informing:
            await self.draw_front()

    async def on_descendant_focus(self) -> None:
        if self.asking and self.catalog.has_focus_within:
            self.asking = False
            self.remove_class("-probe")
            await self.draw_front()

    async def on_run_tabs_chosen(self, event: RunTabs.Chosen) -> None:
        await self.bring(event.run)

    async def on_view_panel_stale(self, _event: ViewPanel.Stale) -> None:
        await self.draw_front()
        self.draw_header()  # the timeline follows what is shown

    async def bring(self, run: int, *, focus: bool = False, zoomed: bool = False) -> None:
        """Bring a run to the front; with `focus` the focus too. zoomed: Esc goes back to the tiles."""
        self.current, self.informing, self.zoomed = run, False, zoomed
        self._focusing = run if focus else None
        self.add_class("-probe")
        await self.draw_front()

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "search":
                return not isinstance(self.focused, Input)
            case "detach":
                return self.current is not None and self.feed.source.live
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        self.remove_class("-probe")
        self.follows, self._focusing = False, None
        self.catalog.search.value = ""
        self._focus(self.catalog.search)

    async def action_other(self, step: int) -> None:
        self.follows, self._focusing = False, None
        stops = self._stops()
        at = stops.index(self.focused) if self.focused in stops else -1 if step > 0 else 0
        stop = stops[(at + step) % len(stops)]
        self.set_class(stop is not self.catalog.listing, "-probe")
        if self.asking != (stop is self.start):
            self.asking = stop is self.start
            await self.draw_front()
        self._focus(stop)

    def _keep_focus_in_sight(self) -> None:
        """On a narrow screen, keep the focus on the side that is shown."""
        probe = self.has_class("-probe")
        if self.has_class("-narrow") and probe is self.catalog.has_focus_within:
            self._focus(self._stops()[-1] if probe else self.catalog.listing)

    def _focus(self, widget: Widget) -> None:
        """Focus a widget now, so that it gets the next key, or as soon as it is on the screen."""
        if widget.focusable:
            self.set_focus(widget)
        else:
            self.call_after_refresh(self.set_focus, widget)

    def _stops(self) -> list[Widget]:
        """The widgets that Tab visits, in order."""
        if self.pane is None or self.informing:
            first = [self.start] if self.pane is None and self._has_start and not self.informing else []
            return [*first, self.catalog.listing, self.about]
        return [self.catalog.listing, *self.pane.stops]

    async def action_tab(self, step: int) -> None:
        runs = [tab.run for tab in self.tabs.tabs]
        if self.current in runs:
            await self.bring(runs[(runs.index(self.current) + step) % len(runs)])

    async def action_detach(self) -> None:
        if self.run is None:
            return
        if state_of(self.run, self.feed.over) == "detached":
            self._put_away.add(self.run.id)
            await self.redraw()
        else:
            await self.feed.request(Detach(run=self.run.id))

    async def action_info(self) -> None:
        self.informing = not self.informing
        self.set_class(self.informing or self.has_class("-probe"), "-probe")
        await self.draw_front()

    async def action_let_go(self) -> None:
        if self.informing:
            self.informing = False
        elif self.panel is not None and self.panel.let_go():
            pass
        elif self.feed.when.compares:
            self.feed.when.compares = False
            self.draw_header()
        elif self.zoomed:
            self.zoomed = False
            await self.app.run_action("app.tiles")
            return
        elif self.pane is None and self._has_start and not self.asking:
            self.asking = True
            self.add_class("-probe")
            await self.draw_front()
            self._focus(self.start)
            return
        elif not self.asking:
            self.remove_class("-probe")
            self.set_focus(self.catalog.listing)
        await self.draw_front()
