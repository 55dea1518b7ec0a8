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

    def begins_painting(self) -> None:
        """Called just before a painting."""

    async def draw_present(self) -> None:
        """Draw what arrived while nothing could be painted."""

    def look_at_terminal(self) -> None:
        """Call this from time to time: it repeats the query if the terminal's answer was lost."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.look()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if renderable is None or self._batch_count:
            super()._display(screen, renderable)
        elif self.flow.full:
            if isinstance(renderable, ChopsUpdate):
                self._withheld.update(Region(left, y, right - left, 1) for y, left, right in renderable.spans)
            else:
                self._withheld.add(self.size.region)
        else:
            self.begins_painting()
            super()._display(screen, renderable)
            if isinstance(self._driver, TerminalDriver):
                self._driver.painted()

    async def go_on(self) -> None:
        """The terminal is ready."""
        if not self.screen_stack:  # it ends
            return
        withheld, self._withheld = self._withheld, set()
        self.screen._compositor._dirty_regions.update(each.intersection(self.size.region) for each in withheld)
        await self.draw_present()
        if withheld:
            self.screen.call_after_refresh(self._paint_withheld)

    def _paint_withheld(self) -> None:
        """Paint what was withheld, unless a drawing has included it."""
        if self.screen_stack and self.screen._compositor._dirty_regions:
            self.screen._compositor_refresh()
