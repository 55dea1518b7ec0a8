"""The place where runs are shown, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from ebpftop.ui.widgets.cached import Box
from ebpftop.ui.widgets.runs import RunPane

if TYPE_CHECKING:
    from ebpftop.model.scope import Aspect, Place
    from ebpftop.model.session import Session


class Panes(Box):
    """A pane for each run, and what is shown instead of them."""

    DEFAULT_CSS = """
    Panes { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[int, RunPane] = {}

    def of(self, run: int | None) -> RunPane | None:
        return None if run is None else self._of.get(run)

    def aspects(self, session: Session) -> dict[Place, Aspect]:
        """The aspects of the views of all runs."""
        from ebpftop.model.scope import place

        return {
            place(run, panel.view): panel.aspect(run)
            for number, pane in self._of.items()
            for panel in pane.panels
            if (run := session.runs.get(number)) is not None
        }

    async def keep(self, wanted: set[int], session: Session, *, settled: bool) -> None:
        """Keep the panes of these runs, and create new ones for reloaded runs. settled: whether other panes are
        removed.
        """
        for number, pane in list(self._of.items()):
            run = session.runs.get(number)
            if (number not in wanted and settled) or (run is not None and pane.is_stale(run)):
                self._of.pop(number, None)  # before the await, during which a key may redraw this screen
                await pane.remove()
        for number in sorted(wanted - set(self._of)):
            pane = self._of[number] = RunPane()
            pane.display = False
            await self.mount(pane)

    def bring(self, front: Widget) -> bool:
        """Show only one. Returns whether another one had the focus."""
        focused = any(each.has_focus_within for each in self.children if each is not front)
        for each in self.children:
            each.display = each is front
        return focused
