"""One probe of a playbook: the question it answers and one of its views, or why there is nothing to show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.frames.messages import Loaded, ProbeInfo, StepInfo
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE
from ebpftop.ui.widgets.panel import words
from ebpftop.ui.widgets.rim import Rim
from ebpftop.ui.widgets.runs import Tab
from ebpftop.ui.widgets.status import loading_line, missing

if TYPE_CHECKING:
    from ebpftop.model.past.span import Wanted
    from ebpftop.model.run import Run
    from ebpftop.ui.drawing.names import Processes
    from ebpftop.ui.widgets.compared_panels import Comparing
    from ebpftop.ui.widgets.panel import ViewPanel

LOW = 16  # lines below which a histogram has no room for its table


class Tile(Vertical, Rim, can_focus=True):
    """`show` draws it. Widgets inside take no focus, because arrow keys move between tiles."""

    DEFAULT_CSS = """
    Tile {
        border: round $rim;
        border-title-color: $quiet;
        border-subtitle-color: $quiet;
        padding: 0 0 0 1;
        &:focus { border: round $primary; border-title-color: $foreground; }
        &:nocolor:focus { border: heavy $primary; }
        & Framed { border: none; padding: 0; }
        & Framed.-short { border: none; }
        & > .why { height: 1fr; padding: 0 1 0 0; display: none; }
        &.-nothing > .why { display: block; }
        &.-nothing > ViewPanel { display: none; }
        &.-low HistogramPanel > GridFrame { display: none; }
        &.-low ComparedHistogramPanel > GridFrame { display: none; }
        & Details { display: none; }
    }
    """

    class Opened(Message):
        """A double click."""

    def __init__(self, at: int, step: StepInfo) -> None:
        super().__init__()
        self.at = at
        self.step = step
        self.why = Static(markup=False, classes="why")
        self.panel: ViewPanel | None = None
        self.selection: Selection = EVERYTHING  # of the view's rows
        self._why: Content | None = None  # as it stands in `why`
        self._loaded: Loaded | None = None
        self._compares = False  # whether the view shows two spans
        self._framed: object = None  # what the frame was drawn from
        self._drawn: object = None  # and the view

    def compose(self) -> Iterable[Widget]:
        yield self.why

    async def show(
        self,
        tab: Tab,
        run: Run | None,
        why: Content | None,
        processes: Processes,
        wanted: Wanted,
        comparing: Comparing,
    ) -> None:
        """Draw what there is of the run, or why there is nothing; what is already drawn stays."""
        if why is None and run and run.loaded:
            from ebpftop.model.readings import moment

            await self._panel(run.loaded, comparing)
            drawn = moment(run, wanted), comparing.state, self.selection
            if self.panel and self.panel.is_mounted and drawn != self._drawn:
                self._drawn = drawn
                self.panel.selection, self.panel.against = self.selection, comparing.a
                self.panel.show(run, processes, wanted)
        left_out = self.panel.left_out if self.panel and self.panel.is_mounted else ""
        from ebpftop.model.readings import gaps

        away = [str(gap) for gap in gaps(run, wanted)] if run else []
        framed = (tab, why, run and run.losses, self.size, left_out, away)
        if framed != self._framed:
            self._framed = framed
            self._draw_frame(tab, run, why, left_out, away)

    def forget(self) -> None:
        """Draw the view again, because it shows something else now."""
        self._drawn = None

    def _draw_frame(self, tab: Tab, run: Run | None, why: Content | None, left_out: str, away: list[str]) -> None:
        title = Content.assemble((tab.sign, tab.style), f" {inert(tab.name)} · {inert(self.step.question)}")
        self.entitle(title, _below(run, tab, left_out, away, self.size.width - 4))
        self.set_class(why is not None, "-nothing")
        if why != self._why:
            self._why = why
            self.why.update(why or "", layout=False)  # it has all the room there is

    async def _panel(self, loaded: Loaded, comparing: Comparing) -> None:
        """Create the view, or a new one if the probe was reloaded, or if comparing began or ended."""
        if (self._loaded == loaded and self._compares is comparing.on) or not loaded.views:
            return
        from ebpftop.ui.widgets.compared_panels import compared_panel
        from ebpftop.ui.widgets.view_panels import panel_for

        self._loaded, self._compares = loaded, comparing.on
        self._drawn = None
        if self.panel:
            await self.panel.remove()
        view = next((view for view in loaded.views if view.name == self.step.view), loaded.views[0])
        stacks = view.show == "stacks"
        self.panel = compared_panel(view, comparing) if comparing.on and not stacks else panel_for(view)
        self._make_room()
        await self.mount(self.panel)
        for widget in self.panel.query("*"):
            widget.can_focus = False

    def on_resize(self) -> None:
        self._drawn = None
        self.set_class(self.size.height < LOW, "-low")
        self._make_room()

    def _make_room(self) -> None:
        if self.panel is None:
            return
        from ebpftop.ui.widgets.view_panels import HistogramPanel

        if isinstance(self.panel, HistogramPanel):
            self.panel.lists = not self.has_class("-low")

    def on_click(self, event: events.Click) -> None:
        self.focus()
        if event.chain == 2:
            self.post_message(self.Opened())


def _below(run: Run | None, tab: Tab, left_out: str, away: list[str], width: int) -> Content:
    """The numbers' meaning and cost, and what a ranking leaves out; or what they miss. away: gaps of hosts."""
    if run is None or run.loaded is None:
        return Content("")
    return missing(run.losses, width, away) or words(run.loaded.meaning, tab.note, left_out)


def why_not(probe: ProbeInfo | None, run: Run | None, error: str, live: bool, key: str) -> Content | None:
    """Why there is nothing to show of a probe; None if there is. error: why its load was refused. key: the key of the
    verifier panel.
    """
    if run and run.failure:
        failure = run.failure
        why = Content.styled(f"{NOT_HERE} {inert(failure.message)}", "$error")
        return Content.assemble(why, ("" if failure.stage == "attach" else f"\n{key} shows why", "$quiet"))
    if run:
        return None if run.loaded else loading_line(run)
    if probe is None:
        return Content.styled(f"{NOT_HERE} no such probe in the catalog", "$warning")
    if probe.available is False:
        return Content.styled(f"{NOT_HERE} unavailable: {inert(probe.reason or 'not on this kernel')}", "$warning")
    if error:
        return Content.styled(f"{NOT_HERE} {inert(error)}", "$error")
    return Content.styled("requested…" if live else "the tape has no data for this probe", "$quiet")
