"""Loads probes and playbooks for the user, and reports the outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebpftop.ui.app.time_keys import TimeKeys
from ebpftop.ui.app.workbench import Workbench
from ebpftop.ui.messages import (
    EditAsked,
    LoadAsked,
    LoadsAgain,
    PlayAsked,
    WasAccepted,
    WasRefused,
    WasRejected,
    WasReplaced,
    WasStopped,
)
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.keyboard import key_of

if TYPE_CHECKING:
    from ebpftop.frames.messages import PlaybookInfo
    from ebpftop.ui.screens.parameters import ParameterForm


class Loads(TimeKeys):
    """An application that loads them. playbook: the last one opened. workbench: shows failures."""

    dashboard: Dashboard
    workbench: Workbench
    playbook: PlaybookInfo | None

    def action_threads(self) -> None:
        """Open the list of all threads."""
        raise NotImplementedError

    # ------------------------------------------------------------ requests

    async def on_load_asked(self, event: LoadAsked) -> None:
        probe = self.dashboard.probe(event.probe)
        if probe is None:
            return
        form = self._form() if event.typed else None
        if form is None:
            self.dashboard.uncover()
        runs = [run for run in self.feed.session.runs.values() if run.probe == probe.id]
        loaded = [run.id for run in runs if run.state in ("loading", "running")]
        awaited = self.feed.awaited
        asking = event.form or (probe.asks and not event.params and not event.typed)
        if asking and probe.params and self.feed.source.live:
            from ebpftop.ui.screens.parameters import ParameterForm

            self.push_screen(ParameterForm(probe, event.params))
        elif loaded and not event.form and not event.typed:
            await self.dashboard.bring(loaded[-1], focus=True)
        elif not (form.request in awaited if form else probe.id in awaited.values() and not event.typed):
            self.dashboard.follows = True
            request = await self.feed.load(probe.id, event.params, when=event.when)
            self._tell_paused()
            if form is not None:
                form.request = request

    async def on_play_asked(self, event: PlayAsked) -> None:
        catalog = self.feed.session.catalog
        found = [each for each in (catalog.playbooks if catalog else []) if each.name == event.playbook]
        if found:
            self.playbook = found[0]
            self.dashboard.uncover()
            tiles = Tiles(self.feed, self.playbook)
            self.push_screen(tiles)
            await tiles.load(event.loads)
            if self.playbook.opens and self.feed.source.live:
                self.action_threads()
            self._tell_paused()

    def _tell_paused(self) -> None:
        """Say that a probe loaded now has nothing to show for the moment at which the screen is frozen."""
        if self.feed.source.live and self.feed.when.still:
            live = key_of(self, "live", "0")
            self.notice(f"the screen is paused: a new probe shows nothing until you press {live} to go live", "info")

    @property
    def _tiled(self) -> bool:
        return isinstance(self.screen, Tiles)

    def _close_tiles(self) -> None:
        if self._tiled:
            self.pop_screen()

    async def on_tiles_zoomed(self, event: Tiles.Zoomed) -> None:
        self._close_tiles()
        await self.dashboard.redraw()
        await self.dashboard.bring(event.run, focus=True, zoomed=True)

    def action_tiles(self) -> None:
        if self._tiled:
            self._close_tiles()
        elif self.playbook:
            self.push_screen(Tiles(self.feed, self.playbook))

    # ------------------------------------------------------------ outcomes

    def on_was_accepted(self, event: WasAccepted) -> None:
        form = self._form()
        if form and form.request == event.request:
            form.dismiss()

    def on_was_rejected(self, event: WasRejected) -> None:
        request = event.request
        self.dashboard.follows = False
        if request is not None and request.by == "save":
            self.workbench.rejected_again(event.run, request.lineage)
        elif request is not None and request.by == "user":
            self.workbench.show_failure(event.run)
        elif event.run.failure and not (isinstance(self.front, Tiles) and self.front.shows(event.run)):
            self.notice(f"{event.run.failure.headline}   {key_of(self, 'verifier', 'v')} shows why", "error")

    def on_was_stopped(self, event: WasStopped) -> None:
        self.notice(f"{event.run.probe}: detached   {key_of(self, 'verifier', 'v')} shows why", "error")

    def on_was_refused(self, event: WasRefused) -> None:
        form, request = self._form(), event.request
        self.dashboard.follows = False
        if request is not None:
            self.workbench.refused(request.lineage)
        if form and request and form.request == request.number:
            form.show_error(event.error)
        elif not (request and isinstance(self.front, Tiles) and self.front.refused(request.lineage, event.error)):
            self.notice(event.error, "error")

    def on_loads_again(self, event: LoadsAgain) -> None:
        self.workbench.loads_again(event.lineage)

    async def on_was_replaced(self, event: WasReplaced) -> None:
        await self.workbench.replaced(event.run, event.old, event.lineage)

    def on_edit_asked(self, event: EditAsked) -> None:
        self.workbench.edit(event.probe, event.line)

    def action_verifier(self) -> None:
        """Show why the last one was rejected; go back if the panel already shows that."""
        run, panel = self.front.chosen_failed(), self.workbench.panel
        if panel and (run is None or panel.failure is run.failure):
            self.pop_screen()
        elif run:
            self.workbench.show_failure(run)

    def _form(self) -> ParameterForm | None:
        """The form in front."""
        top = self.screen_stack[-1] if self.screen_stack else None
        if top is None or top is self.front:
            return None
        from ebpftop.ui.screens.parameters import ParameterForm  # the first screen does without

        return top if isinstance(top, ParameterForm) else None
