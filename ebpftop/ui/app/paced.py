"""An application that paints no more than its terminal takes."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.geometry import Region
from textual.screen import Screen

from ebpftop.ui.app.driver import TerminalDriver
from ebpftop.ui.app.flow import Flow


class PacedApp(App[None]):
    """While the terminal is busy with a painting, keys, layouts and widgets go on. Paintings are recorded and done with
    the current state when the terminal is ready.
    """

    def __init__(self, *, ansi_color: bool | None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.flow = Flow()
        self._withheld: set[Region] = set()  # parts of the screen

    @property
    def busy(self) -> bool:
        """Whether nothing can be painted now."""
        return self.flow.full

    def begins_painting(self) -> None:
        """Called just before a painting."""

    async def draw_present(self) -> None:
        """Draw what arrived while nothing could be painted."""

    def look_at_terminal(self) -> None:
        """Call this from time to time: it repeats the query if the terminal's answer was lost."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.look()

    def delay_update(self, delay: float = 0.05) -> None:
        """Delay nothing. In a batch that lasts, two changes of the terminal's size lay out the screen in turn for ever:
        each layout queues another one behind a painting, and no timer gets a turn to end the batch.
        """

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if renderable is None:
            super()._display(screen, renderable)
        elif self.busy or self._batch_count:  # Textual drops what is painted within a batch
            if isinstance(renderable, ChopsUpdate):
                self._withheld.update(Region(left, y, right - left, 1) for y, left, right in renderable.spans)
            else:
                self.withhold_all()
        else:
            self.begins_painting()
            self.paint(screen, renderable)

    def paint(self, screen: Screen[Any], renderable: RenderableType) -> None:
        super()._display(screen, renderable)
        if isinstance(self._driver, TerminalDriver):
            self._driver.painted()

    def withhold_all(self) -> None:
        """Paint the whole screen when that is possible."""
        self._withheld.add(self.size.region)

    def _end_batch(self) -> None:
        super()._end_batch()
        if self._withheld and not self._batch_count and not self.flow.full:
            self.call_later(self.go_on)

    async def go_on(self) -> None:
        """The terminal is ready."""
        if not self.screen_stack:  # it ends
            return
        withheld, self._withheld = self._withheld, set()
        compositor = self.screen._compositor  # it may have another size: the layout for a new one comes a little later
        compositor._dirty_regions.update(each.intersection(compositor.size.region) for each in withheld)
        await self.draw_present()
        if withheld:
            self.screen.call_after_refresh(self._paint_withheld)

    def _paint_withheld(self) -> None:
        """Paint what was withheld, unless a drawing has included it."""
        if self.screen_stack and self.screen._compositor._dirty_regions:
            self.screen._compositor_refresh()
