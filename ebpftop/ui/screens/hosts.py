"""The hosts of a stream from several: their state; to select one, or to compare two."""

from __future__ import annotations

from collections.abc import Iterable
from time import time_ns
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ebpftop.model.machines import words
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.widgets.host_rows import NAME, STATE, host_rows
from ebpftop.ui.widgets.keyboard import key_of
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

PERIOD = 1.0  # seconds: an age grows


class Wished(Struct, frozen=True):
    """The choice: one selected host, or A and B to compare."""

    host: str
    other: str = ""


class HostsScreen(Leaving[Wished]):
    DEFAULT_CSS = "HostsScreen { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "let_go", "back", key_display="Esc", tooltip="Go back to the dashboard"),
        Binding("H", "let_go", "back", show=False, id="hosts"),
        Binding("full_stop", "select", "select", tooltip="Select this host in all views, or deselect it", id="select"),
        Binding("a", "side_a", "this is A", tooltip="Make this host A, to compare it with another", id="span-a"),
        Binding("b", "compare", "compare", tooltip="Compare A with this host, B, over the last minute", id="compare"),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.frame = TableFrame("Hosts", TableGrid(STATE))

    def compose(self) -> Iterable[Widget]:
        yield self.frame
        yield KeyLine()

    async def on_mount(self) -> None:
        self.set_focus(self.frame.grid)
        await self.look()
        self.set_interval(PERIOD, self.look)

    async def look(self) -> None:
        machines, when = self.feed.session.machines, self.feed.when
        sides = {when.host_a: "A"} | ({when.hosts[1]: "B"} if when.hosts and when.compares else {})
        now = time_ns() if self.feed.source.live and self.feed.ended is None else machines.at
        self.frame.span_words = words(machines.states)
        self.frame.grid.show(host_rows(machines, now, sides))

    @property
    def _chosen(self) -> str:
        return str(self.frame.grid.pointed().get(NAME, ""))

    def action_let_go(self) -> None:
        if not self.frame.let_go():
            self.dismiss()

    async def action_select(self) -> None:
        if self._chosen:
            self.dismiss(Wished(self._chosen))

    async def action_side_a(self) -> None:
        self.feed.when.host_a = self._chosen
        await self.look()

    async def action_compare(self) -> None:
        a, b = self.feed.when.host_a, self._chosen
        if not a or a == b or not b:
            a, b = key_of(self.app, "span-a", "a"), key_of(self.app, "compare", "b")
            self.notify(f"{a} makes a host A; then {b} compares it with another", markup=False)
        else:
            self.dismiss(Wished(a, b))
