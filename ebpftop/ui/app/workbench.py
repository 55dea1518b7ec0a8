"""Trying a fix: the verifier panel, its changes after a save, and the editor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.app import App

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.widgets.keyboard import key_of

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.ui.screens.verifier import VerifierScreen


def notice(app: App[None], text: str, level: str) -> None:
    """Show a line for a while; it may contain anything. Levels are those of a `Notice`."""
    severity = {"info": "information", "warning": "warning", "error": "error"}[level]
    timeout = 5 if level == "info" else 15  # seconds
    app.notify(inert(text), severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]


def _of_stopped(run: Run) -> list[tuple[str, str]]:
    """Titles and texts: why a run was detached."""
    params = " ".join(f"{name}={value}" for name, value in run.params.items())
    fields = [("why", run.stopped), ("parameters", params), ("the other probes", "keep running")]
    return [*fields, ("to load it again", "choose it in the catalog: Enter loads it, p sets its parameters first")]


class Workbench:
    """Shows failures of loads, and their later outcomes, over an application's screens."""

    def __init__(self, app: App[None], feed: Feed, dashboard: Dashboard) -> None:
        self._app, self._feed, self._dashboard = app, feed, dashboard
        self._panel: VerifierScreen | None = None  # the one that was opened last

    @property
    def panel(self) -> VerifierScreen | None:
        """The verifier panel, if it is in front."""
        return self._panel if self._panel is self._app.screen else None

    def _panel_of(self, lineage: int) -> VerifierScreen | None:
        """The verifier panel, if it is in front and shows a version of this load."""
        return self.panel if self.panel and self.panel.lineage == lineage else None

    def show_failure(self, run: Run) -> None:
        """Open the panel, replacing the form or the panel that led to it and everything above that.

        For a detached run it is a dialog: there is no log.
        """
        from ebpftop.ui.screens.parameters import ParameterForm
        from ebpftop.ui.screens.verifier import VerifierScreen

        if run.failure is None:
            from ebpftop.ui.screens.row import RowScreen

            self._app.push_screen(RowScreen(f"{run.probe} was detached", _of_stopped(run)))
            return
        while any(isinstance(screen, ParameterForm | VerifierScreen) for screen in self._app.screen_stack):
            self._app.pop_screen()
        requests = self._feed.requests
        before = requests.before(run, self._feed.session.runs)
        requested = requests.get(run.request)
        lineage = requested.lineage if requested else 0
        self._panel = VerifierScreen(run.failure, before, lineage=lineage, live=self._feed.source.live)
        self._app.push_screen(self._panel)

    def rejected_again(self, run: Run, lineage: int) -> None:
        """A saved version failed to load."""
        if self._panel_of(lineage):
            self.show_failure(run)
        elif run.failure:
            notice(
                self._app,
                f"{run.failure.headline} (as saved)   {key_of(self._app, 'verifier', 'v')} shows why",
                "error",
            )

    def loads_again(self, lineage: int) -> None:
        """A saved version is being loaded."""
        if panel := self._panel_of(lineage):
            panel.loads_again()

    def refused(self, lineage: int) -> None:
        """The saved version will not be loaded."""
        if panel := self._panel_of(lineage):
            panel.loads_again(False)

    async def replaced(self, run: Run, old: list[int], lineage: int) -> None:
        """A saved version is attached; `old` are the runs that it ends."""
        if (panel := self._panel_of(lineage)) and run.loaded:
            probe = self._dashboard.probe(run.probe)
            panel.runs_now(run.loaded, probe.source if probe else "")
        else:
            notice(self._app, f"{run.probe}: the saved version runs now", "info")
        await self._dashboard.replaced(run.id, old)

    def edit(self, name: str, line: int | None) -> None:
        """Open the C of a probe in the user's editor, or show how to get an editable copy."""
        probe = self._dashboard.probe(name)
        if probe is None:
            notice(self._app, f"{name} is no longer in the catalog", "warning")
        elif not probe.file:
            from ebpftop.ui.actions.copying import advice
            from ebpftop.ui.screens.copying import CopyScreen

            catalog = self._feed.session.catalog
            self._app.push_screen(CopyScreen(probe, *advice(probe, catalog.probes if catalog else [])))
        else:
            from ebpftop.ui.actions import editor

            editor.use(self._app, partial(self._edit, probe.file, line))

    async def _edit(self, file: str, line: int | None) -> None:
        from ebpftop.ui.actions import editor

        if trouble := await editor.edit(self._app, file, line):
            notice(self._app, trouble, "error")
