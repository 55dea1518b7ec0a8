"""Running probes: the line of tabs, and a pane for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from ebpftop.frames.messages import Loaded, ProbeInfo
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.widgets.cached import Box, Column
from ebpftop.ui.widgets.kept import Words

if TYPE_CHECKING:
    from ebpftop.model.past.span import Wanted
    from ebpftop.model.run import Run
    from ebpftop.ui.drawing.names import Processes
    from ebpftop.ui.widgets.compared_panels import Comparing
    from ebpftop.ui.widgets.panel import ViewPanel

MORE = 3  # cells of the sign and number for hidden tabs


class Tab(Struct, frozen=True):
    run: int
    sign: str
    style: str  # of the sign
    name: str
    note: str = ""


class RunTabs(Words):
    """One tab per run; clicking a tab selects it."""

    DEFAULT_CSS = """
    RunTabs {
        height: 1;
        padding: 0 1;
        color: $quiet;
    }
    """

    tabs: reactive[tuple[Tab, ...]] = reactive((), repaint=False)
    current: reactive[int | None] = reactive(None, repaint=False)

    class Chosen(Message):
        def __init__(self, run: int) -> None:
            super().__init__()
            self.run = run

    def watch_tabs(self) -> None:
        self.update_lines()

    def watch_current(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        if not self.tabs:
            return Content.styled("no probe is running", "$quiet")
        width = self.content_size.width
        line = Content(" ").join(self._tab(tab) for tab in self.tabs)
        if line.cell_length <= width:
            return line
        parts = [self._tab(tab, brief=tab.run != self.current) for tab in self.tabs]
        at = next((at for at, tab in enumerate(self.tabs) if tab.run == self.current), 0)
        shown = in_sight([part.cell_length + 1 for part in parts], at, width - 2 * MORE)
        return Content.assemble(
            self._more("‹", shown.start - 1),
            Content(" ").join(parts[shown.start : shown.stop]),
            self._more("›", shown.stop),
        ).truncate(width, ellipsis=True)

    def _more(self, sign: str, at: int) -> Content:
        """A sign for hidden tabs; clicking it selects the next of them."""
        if not 0 <= at < len(self.tabs):
            return Content("")
        number = at + 1 if sign == "‹" else len(self.tabs) - at
        press = Style.from_meta({"run": self.tabs[at].run})
        return Content.styled(f"{sign}{number}" if sign == "‹" else f"{number}{sign}", "bold $primary").stylize(press)

    def _tab(self, tab: Tab, brief: bool = False) -> Content:
        here = tab.run == self.current
        press = Style.from_meta({"run": tab.run})
        look = "bold $foreground on $cursor" if here else "$quiet"
        name = f"{inert(tab.name)} {'' if brief else inert(tab.note)}".rstrip()
        if here and self.app.no_color:
            name = f"[{name}]"
        text = Content.assemble((f" {tab.sign} ", f"{tab.style} on $cursor" if here else tab.style), (f"{name} ", look))
        return text.stylize(press)

    def on_click(self, event: events.Click) -> None:
        if (run := event.style.meta.get("run")) is not None:
            self.post_message(self.Chosen(run))


def in_sight(widths: Sequence[int], current: int, room: int) -> range:
    """The tabs that fit, including the current one: from the first tab on if possible, else up to the current one."""
    first, last = 0, 0
    while last < len(widths) and (last <= current or sum(widths[first : last + 1]) <= room):
        last += 1
        while first < current < last and sum(widths[first:last]) > room:
            first += 1
    return range(first, last)


class RunPane(Column):
    """One run: its status and its views, one at a time or as many as fit."""

    DEFAULT_CSS = """
    RunPane {
        height: 1fr;
        & > #views { layout: horizontal; height: 1fr; }
        & > #views > .-away { display: none; }
    }
    """

    def __init__(self) -> None:
        from ebpftop.ui.widgets.status import StatusLine

        super().__init__()
        self.status = StatusLine()
        self.body = Box(id="views")
        self.panels: list[ViewPanel] = []
        self.front = 0  # the view that keys act on
        self.selection: Selection = EVERYTHING  # of the rows of its views
        self._loaded: Loaded | None = None
        self._usual: list[ViewPanel] = []  # while spans are compared: the panels to which it goes back

    def compose(self) -> Iterable[Widget]:
        yield self.status
        yield self.body

    def is_stale(self, run: Run) -> bool:
        """Whether the pane was built for another load."""
        return self._loaded is not None and run.loaded != self._loaded

    async def show(
        self,
        run: Run,
        probe: ProbeInfo | None,
        processes: Processes,
        wanted: Wanted,
        comparing: Comparing,
        *,
        unless: object = None,
    ) -> None:
        """Draw the run's current state; its panels are created on `Loaded`. Panels that are still mounting are drawn
        later.

        unless: panels that were last drawn with this value stay unchanged.
        """
        from ebpftop.model.readings import gaps

        self.status.show(run, probe, gaps(run, wanted))
        if run.loaded and not self.panels and self.body.is_mounted:
            from ebpftop.ui.widgets.view_panels import panel_for

            self._loaded = run.loaded
            self.panels = [panel_for(view) for view in run.views]
            self._place()
            await self.body.mount(*self.panels)
        if comparing.on is not bool(self._usual) and all(panel.is_mounted for panel in self.panels):
            await self._turn_comparing(comparing)
        if unless is not None:
            unless = unless, self.selection
        for panel in self.panels:
            panel.selection, panel.against = self.selection, comparing.a
            if panel.is_mounted and not panel.has_class("-away") and (unless is None or panel.drawn != unless):
                panel.drawn = unless
                panel.show(run, processes, wanted)

    async def _turn_comparing(self, comparing: Comparing) -> None:
        """While spans are compared, use panels that show both, otherwise the usual ones; call stacks keep theirs."""
        from ebpftop.ui.widgets.compared_panels import compared_panel

        had_focus, before = any(panel.has_focus_within for panel in self.panels), self.panels
        if comparing.on:
            self._usual = before
            self.panels = [
                each if each.view.show == "stacks" else compared_panel(each.view, comparing) for each in before
            ]
        else:
            self.panels, self._usual = self._usual, []
        for panel, other in zip(self.panels, before, strict=True):
            panel.drawn = None
            panel.group = other.group
        if new := [panel for panel in self.panels if not panel.is_mounted]:
            await self.body.mount(*new)
        self._place()
        if had_focus and self.panel is not None and self.panel.stops:
            self.app.stylesheet.update(self.body)  # or what is shown from now on can't take the focus yet
            self.screen.set_focus(self.panel.stops[0])  # before Textual gives it to another part of the screen
        for panel in before:
            if panel not in self.panels and panel not in self._usual:
                await panel.remove()

    @property
    def panel(self) -> ViewPanel | None:
        """The view in front."""
        return self.panels[self.front] if self.panels else None

    def turn(self, step: int) -> None:
        """Bring the next view to the front."""
        if self.panels:
            self.front = (self.front + step) % len(self.panels)
            self._place()

    def turn_to(self, view: str) -> ViewPanel | None:
        """Bring a view to the front, by its name."""
        at = next((at for at, panel in enumerate(self.panels) if panel.view.name == view), None)
        if at is None:
            return None
        self.front = at
        self._place()
        return self.panels[at]

    @property
    def hides_views(self) -> bool:
        return any(panel.has_class("-away") for panel in self.panels)

    @property
    def stops(self) -> list[Widget]:
        """The focusable widgets, in order."""
        return [stop for panel in self.panels if not panel.has_class("-away") for stop in panel.stops]

    def on_descendant_focus(self) -> None:
        for at, panel in enumerate(self.panels):
            if panel.has_focus_within:
                self.front = at
        self.screen.refresh_bindings()

    def on_resize(self) -> None:
        self._place()

    def _place(self) -> None:
        together = 2 if self.size.width >= 2 * max((panel.room for panel in self.panels), default=0) else 1
        shown = visible(len(self.panels), self.front, together)
        for at, panel in enumerate(self.panels):
            panel.set_class(at not in shown, "-away")
        for panel in self._usual:
            if panel not in self.panels:
                panel.add_class("-away")


def visible(panels: int, front: int, together: int) -> Sequence[int]:
    """Which views are shown, including the one in front."""
    first = min(front // together * together, max(0, panels - together))
    return range(first, min(first + together, panels))
