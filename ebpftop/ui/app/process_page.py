"""Opens a process's page, and continues with what was chosen there."""

from __future__ import annotations

from functools import partial

from textual.app import App

from ebpftop.frames.messages import Process
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import LoadAsked
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.process import ProcessScreen, Turn


def open_page(app: App[None], feed: Feed, dashboard: Dashboard, wanted: int | Process) -> None:
    """Open the page of a process, which may be known by its identity; show a notice if nothing is known of it. Does
    nothing if a page is open: keys may have come faster than the first one opened it.
    """
    if any(isinstance(screen, ProcessScreen) for screen in app.screen_stack):
        return
    process = feed.session.processes.get(wanted) if isinstance(wanted, int) else wanted
    if process is None:
        app.notify("the process ended before it could be identified", markup=False)
    else:
        app.push_screen(ProcessScreen(feed, process), partial(_go_on, app, dashboard))


async def _go_on(app: App[None], dashboard: Dashboard, to: LoadAsked | Turn | None) -> None:
    """Load a probe for the process, or show the process in a view of the dashboard, closing the screens above it."""
    if to is None:
        return
    dashboard.uncover()
    if isinstance(to, LoadAsked):
        app.post_message(to)
    elif await dashboard.turn_to(to.run, to.view) is not None:
        await dashboard.narrow_to(to.process)
