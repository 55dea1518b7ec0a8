"""An application whose screens always have room: a terminal that is too small shows a notice instead."""

from __future__ import annotations

from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import LayoutUpdate
from textual.color import Color
from textual.geometry import Region, Size
from textual.strip import Strip

from ebpftop.ui.app.paced import PacedApp

LEAST = Size(60, 15)
UNSEEN = ("quit", "help_quit", "suspend_process")  # actions whose effect nobody has to see


class RoomyApp(PacedApp):
    """In a smaller terminal screens open, close and change as ever, at the least size and unseen.

    lacking: the terminal's size, if it is too small.
    """

    lacking: Size | None = None
    _told = False  # whether the terminal shows the notice for this size

    @property
    def busy(self) -> bool:
        return self.lacking is not None or super().busy

    @property
    def too_small(self) -> str:
        """The notice; "" if there is room."""
        if self.lacking is None:
            return ""
        return f"▲ {self.lacking.width}×{self.lacking.height} is too small: ebpftop needs {LEAST.width}×{LEAST.height}"

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Resize):
            await self._resized(event)
        elif self.lacking is None or not isinstance(event, events.InputEvent | events.Paste):
            await super().on_event(event)
        elif isinstance(event, events.Key):
            await self._unseen(event.key)

    async def _resized(self, event: events.Resize) -> None:
        given, before, was_small = event.size, self.size, self.lacking is not None
        size = Size(max(given.width, LEAST.width), max(given.height, LEAST.height))
        self.lacking, self._told = (None if size == given else given), False
        await super().on_event(events.Resize(size, size, pixel_size=event.pixel_size))
        if self.lacking is not None or (was_small and size == before):  # another size is painted in full anyway
            self.withhold_all()
            await self.go_on()

    async def _unseen(self, key: str) -> None:
        bindings = self._bindings.copy()
        bindings.apply_keymap(self._keymap)
        for binding in bindings.key_to_bindings.get(key, ()):
            if binding.action in UNSEEN:
                await self.run_action(binding.action)

    async def go_on(self) -> None:
        if self.lacking is None:
            await super().go_on()
        elif self.screen_stack and not (self._told or self.flow.full or self._batch_count):
            self._told = True
            self.paint(self.screen, self._notice(self.lacking))

    def _notice(self, size: Size) -> LayoutUpdate:
        """The whole terminal, with the notice in its middle."""
        colours = self.theme_variables
        colour, behind = (Color.parse(colours[name]) for name in ("warning", "background"))
        style = Style(color=colour.rich_color, bgcolor=behind.rich_color)
        lines = wrap(self.too_small, max(1, size.width))[: size.height]
        above = (size.height - len(lines)) // 2
        texts = [*[""] * above, *lines, *[""] * (size.height - above - len(lines))]
        strips = [Strip([Segment(text.center(size.width), style)]) for text in texts]
        for each in self.get_line_filters():
            strips = [strip.apply_filter(each, behind) for strip in strips]
        return LayoutUpdate([[strip] for strip in strips], Region(0, 0, *size))
