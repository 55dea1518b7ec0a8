"""A table of root's readings of this machine, read repeatedly while somebody looks at this screen."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from ebpftop.frames.messages import ReadPrograms, ReadThreads
from ebpftop.model.selection import chosen_host
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

PERIOD = 1.0  # seconds from an answer to the next request
REST = 20.0  # times what the answer took: on a large machine it takes long
PATIENCE = 60.0  # seconds after which an answer doesn't come any more
PAUSED = "paused"
ENDED = "not updated: the collector has ended"


class ReadingScreen(Leaving[None]):
    """`TAKES` names the feed's attribute that takes answers. Answers come to `take`, which calls `answered`."""

    TAKES: ClassVar[str]
    DEFAULT_CSS = "ReadingScreen { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "let_go", "back", key_display="Esc", tooltip="Go back to the dashboard"),
    ]

    def __init__(self, feed: Feed, request: type[ReadPrograms | ReadThreads], title: str, grid: TableGrid) -> None:
        super().__init__()
        self.feed = feed
        self.frame = TableFrame(title, grid)
        self._request, self._title = request, title
        self._asked = self._next = 0.0  # monotonic

    def compose(self) -> Iterable[Widget]:
        yield self.frame
        yield KeyLine()

    async def on_mount(self) -> None:
        self.set_focus(self.frame.grid)
        self.set_interval(PERIOD / 4, self.look)

    async def on_screen_resume(self) -> None:
        setattr(self.feed, self.TAKES, self.take)
        await self.look()

    def on_unmount(self) -> None:
        if getattr(self.feed, self.TAKES) == self.take:
            setattr(self.feed, self.TAKES, lambda read: None)

    async def look(self) -> None:
        """Request the next reading when it is time, but not for an unseen or frozen screen."""
        now = monotonic()
        stopped = PAUSED if self.feed.still else ENDED if self.feed.ended is not None else ""
        if stopped and self.frame.span_words != stopped:
            self.say(stopped)
        if stopped or now < self._next or not self.is_seen:
            return
        self._asked, self._next = now, now + PATIENCE
        await self.feed.request(self._request(host=chosen_host(self.feed.selection)))

    def of(self, host: str) -> None:
        """Name the host in the title, if there are several."""
        self.frame.title = f"{self._title} · {cell(host)}" if host else self._title

    def say(self, words: str) -> None:
        """Add a text to the title."""
        self.frame.span_words = words
        self.frame.retitle()

    def answered(self, took: float | None = None) -> bool:
        """Record the time of an answer. Returns whether to show it. took: duration of the reading
        in seconds, if known.
        """
        now = monotonic()
        self._next = now + max(PERIOD, REST * (now - self._asked if took is None else took))
        return not self.feed.still

    def take(self, read: object) -> None:
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (action == "filter" and isinstance(self.focused, Input))

    def action_filter(self) -> None:
        self.frame.ask_filter()

    def action_let_go(self) -> None:
        if not self.frame.let_go():
            self.app.pop_screen()
