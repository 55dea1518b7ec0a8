"""The parts that all screens of a session have above their views: header, timeline, and the lines below them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.widget import Widget

from ebpftop.model.caption import caption
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import Changed
from ebpftop.ui.screens.state import header_state
from ebpftop.ui.screens.time import draw_timeline
from ebpftop.ui.widgets.banner import Banner
from ebpftop.ui.widgets.caption import Caption
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.timeline import Timeline
from ebpftop.ui.widgets.trail import Trail

if TYPE_CHECKING:
    from ebpftop.frames.messages import ProbeInfo
    from ebpftop.model.run import Run
    from ebpftop.ui.widgets.panel import ViewPanel


class SessionScreen(Screen[None]):
    """A screen that shows views of the runs of a feed's session.

    banner: says why the stream ended. caption: the tape's caption at the played moment. trail: the selection.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.header = HeaderLine()
        self.timeline = Timeline()
        self.banner = Banner()
        self.caption = Caption()
        self.trail = Trail()

    def compose_above(self) -> Iterable[Widget]:
        yield self.header
        yield self.timeline
        yield self.banner
        yield self.caption
        yield self.trail

    # ------------------------------------------------------------ what a screen must say

    @property
    def run(self) -> Run | None:
        """The run that keys act on."""
        raise NotImplementedError

    @property
    def panel(self) -> ViewPanel | None:
        """The view that keys act on."""
        raise NotImplementedError

    @property
    def followed(self) -> ViewPanel | None:
        """The view that the timeline is about."""
        return self.panel

    async def redraw(self) -> None:
        """Draw the session's current state."""
        raise NotImplementedError

    async def draw_front(self) -> None:
        """Draw the view in front anew."""
        raise NotImplementedError

    # ------------------------------------------------------------ what they have in common

    def probe(self, name: str) -> ProbeInfo | None:
        catalog = self.feed.session.catalog
        return next((probe for probe in catalog.probes if probe.id == name), None) if catalog else None

    def draw_header(self) -> None:
        """Draw the lines above the views. Live there is no caption: whoever sets a mark knows it, and a notice reports
        marks of others.
        """
        session = self.feed.session
        self.header.state = header_state(self.feed)
        self.trail.choices = self.feed.selection.choices
        if self.feed.playback is not None:
            self.caption.text = caption(session.marks, session.newest.monotonic_ns) if session.newest else ""
        if session.newest is not None:
            draw_timeline(self.timeline, self.feed, self.run, self.followed)

    async def ended(self, reason: str) -> None:
        """The stream ended; a reason means that it failed."""
        if reason:
            self.banner.tell(reason, "R restarts   q quits" if self.feed.source.can_restart else "q quits")
        await self.redraw()

    def on_screen_resume(self) -> None:
        self.post_message(Changed())  # not drawn while another screen was above
