"""Runs the dashboard on a source, and restores the terminal afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import termios
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ebpftop.base import loop, screen
from ebpftop.base.hangup import Hangup, ending_signals, terminals
from ebpftop.frames.messages import Load
from ebpftop.frames.outside import Mailbox
from ebpftop.frames.source import Source

if TYPE_CHECKING:
    from ebpftop.catalog.settings import Settings
    from ebpftop.model.watching import Watching

PATIENCE = 2.0  # seconds in which it should have ended
SETTLED = 2.0  # seconds after which the first screen has been painted
FATAL = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)  # they would leave the terminal as it is
_YOUNG = 5000  # new objects after which Python looks for garbage, not 700: a full collection makes a key wait


def run_dashboard(
    source: Source,
    *,
    title: str = "",
    auto_load: Sequence[tuple[str, dict[str, str]]] = (),
    playbook: str = "",
    loads: Sequence[Load] = (),
    interval: float = 1.0,
    watching: Watching | None = None,
    chosen: Settings | None = None,
    outer: Sequence[int] = (),
) -> int:
    """Run the dashboard on a source until the user quits, then close the source. Returns the exit code.

    auto_load: probes with their parameters, loaded once the source has sent its catalog. playbook: the name of a
    playbook to open then. interval: seconds. watching: for triggers. chosen: the user's settings. outer: terminals that
    show this one, to be restored if this one is gone before that. The terminal is restored afterwards, even after a
    signal (the exit code is 128 + its number) or an unexpected exception, which is raised. The end of the terminal ends
    the process.
    """
    # Textual would take these for the terminal's size, or for wishes of somebody who develops with it.
    for name in list(os.environ):
        if name in ("COLUMNS", "LINES", "TEXTUAL") or name.startswith("TEXTUAL_"):
            del os.environ[name]
    gc.disable()  # all that is imported and mounted now stays
    from ebpftop.catalog.settings import Settings
    from ebpftop.ui.actions.remembering import place
    from ebpftop.ui.app.app import EbpftopApp  # Textual takes a while to import
    from ebpftop.ui.app.driver import TerminalDriver
    from ebpftop.ui.app.options import Options

    options = Options(
        title=title,
        auto_load=auto_load,
        playbook=playbook,
        loads=loads,
        interval=interval,
        watching=watching,
        settings=chosen or Settings(),
        remembers=place() if source.live else None,
    )
    app = EbpftopApp(source, options=options)
    app.driver_class = TerminalDriver

    def end_if_alone(number: int) -> None:
        """A thread. A hanging dashboard is ended by its supervisor; a tape has none, and it may be gone."""
        if not source.live or os.getppid() != parent:
            _reset((*terminals(), *outer))
            _restore(settings)
            os._exit(128 + number)

    async def run() -> None:
        running = asyncio.get_running_loop()

        def leave(number: int, _frame: object) -> None:
            running.call_soon_threadsafe(partial(app.exit, return_code=128 + number))
            watchdog = threading.Timer(PATIENCE, end_if_alone, [number])
            watchdog.daemon = True
            watchdog.start()

        for number in (*ending_signals(), *(each for each in FATAL if signal.getsignal(each) is signal.SIG_DFL)):
            signal.signal(number, leave)
        running.call_later(SETTLED, collect_from_now_on)

        def mark(text: str) -> None:
            app.call_later(app.marking.from_outside, text)  # a timer started outside the application's context fails

        mailbox = Mailbox(mark)
        if source.live:
            running.call_soon(mailbox.open)
        try:
            await app.run_async(mouse=options.settings.mouse)
        finally:
            mailbox.close()

    parent, settings = os.getppid(), _settings()
    hangup = Hangup(terminals())
    threading.Thread(target=_end_with_terminal, args=(hangup, outer), daemon=True).start()
    try:
        loop.run(run)
    finally:
        _restore(settings)  # if Textual could not
        if os.getppid() != parent or hangup.wait(0):  # sudo may have ended before it passed on the last of our output
            _reset(outer)
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def collect_from_now_on() -> None:
    """Collect only garbage created from now on. Existing objects stay: a collection that visits them delays keys."""
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    gc.enable()


def _end_with_terminal(hangup: Hangup, outer: Sequence[int]) -> None:
    """A thread: if the terminal is gone, the event loop may wait forever for a write, and nothing
    is left to restore.
    """
    hangup.wait()
    _reset(outer)
    os._exit(128 + signal.SIGHUP)


def _reset(terminals: Sequence[int]) -> None:
    for terminal in terminals:
        screen.reset(terminal)


def _settings() -> list[Any]:
    """The terminal's settings; empty without a terminal."""
    with contextlib.suppress(termios.error, ValueError, OSError):
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else []
    return []


def _restore(settings: list[Any]) -> None:
    if settings and sys.__stdin__:
        with contextlib.suppress(termios.error, ValueError, OSError):
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSADRAIN, settings)
