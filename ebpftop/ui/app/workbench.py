"""Trying a fix: the verifier panel, what a save changes in it, and the editor."""

from __future__ import annotations

from textual.app import App

from ebpftop.frames.messages import Rejected
from ebpftop.ui.actions import editor
from ebpftop.ui.actions.copying import advice
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.feed.reloads import before
from ebpftop.ui.messages import EditAsked, LoadsAgain, WasRefused, WasReplaced
from ebpftop.ui.screens.copying import CopyScreen
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.screens.verifier import VerifierScreen


class Workbench(App[None]):
    """The part of the application that tells of rejections, and of what became of them."""

    feed: Feed
    dashboard: Dashboard

    def tell(self, text: str, level: str) -> None:
        """Show a line for a while; it may hold anything. Levels are those of a `Notice`."""
        severity = {"info": "information", "warning": "warning", "error": "error"}[level]
        timeout = 5 if level == "info" else 15  # seconds
        self.notify(inert(text), severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]

    def panel_of(self, probe: str, params: dict[str, str]) -> VerifierScreen | None:
        """The verifier panel, if it is what is looked at and tells of this."""
        panel = self.screen
        about = isinstance(panel, VerifierScreen) and (panel.frame.probe, panel.frame.params) == (probe, params)
        return panel if isinstance(panel, VerifierScreen) and about else None

    def show_rejection(self, frame: Rejected) -> None:
        """Open the panel, in place of the form or the panel that led to it."""
        if isinstance(self.screen, ParameterForm | VerifierScreen):
            self.pop_screen()
        version_before = before(frame, self.feed.session.runs)
        self.push_screen(VerifierScreen(frame, version_before, live=self.feed.source.live))

    def rejected_again(self, frame: Rejected) -> None:
        """A saved version is rejected."""
        if self.panel_of(frame.probe, frame.params):
            self.show_rejection(frame)
        else:
            self.tell(f"{frame.probe} as it was saved is rejected: {frame.error}   v shows why", "error")

    def on_loads_again(self, event: LoadsAgain) -> None:
        if panel := self.panel_of(event.probe, event.params):
            panel.loads_again()

    def on_was_refused(self, event: WasRefused) -> None:
        if panel := self.panel_of(event.frame.probe, event.frame.params):
            panel.loads_again(False)

    async def on_was_replaced(self, event: WasReplaced) -> None:
        frame = event.frame
        if panel := self.panel_of(frame.probe, frame.params):
            probe = self.dashboard.probe(frame.probe)
            panel.runs_now(frame, probe.source if probe else "")
        else:
            self.tell(f"{frame.probe} as it was saved runs now", "info")
        await self.dashboard.replaced(frame.run, event.old)

    def on_edit_asked(self, event: EditAsked) -> None:
        probe = self.dashboard.probe(event.probe)
        if probe is None:
            self.tell(f"{event.probe} is no longer in the catalog", "warning")
        elif not probe.file:
            catalog = self.feed.session.catalog
            self.push_screen(CopyScreen(probe, *advice(probe, catalog.probes if catalog else [])))
        else:
            self.run_worker(self._edit(probe.file, event.line), group="editor")

    async def _edit(self, file: str, line: int | None) -> None:
        if trouble := await editor.edit(self, file, line):
            self.tell(trouble, "error")
