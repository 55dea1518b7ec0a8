"""Running the dashboard on a source, and restoring the terminal afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import termios
from collections.abc import Iterator, Sequence
from functools import partial

from ebpftop.frames.messages import Load
from ebpftop.frames.source import Source

SETTLED = 2.0  # seconds after which the first screen has been painted
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_dashboard(
    source: Source,
    *,
    title: str = "",
    auto_load: Sequence[tuple[str, dict[str, str]]] = (),
    playbook: str = "",
    loads: Sequence[Load] = (),
) -> int:
    """Run the dashboard on a source until the user quits, then close the source. Returns the exit code.

    auto_load: probes with their parameters, loaded once the source has sent its catalog. playbook: the name of a
    playbook to open then. The terminal is restored afterwards, even after a signal (the exit code is 128 + its number)
    or an unexpected exception, which is raised.
    """
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)  # Textual would take these for the terminal's size
    from ebpftop.ui.app.app import EbpftopApp  # Textual takes a while to import
    from ebpftop.ui.app.options import Options

    app = EbpftopApp(source, options=Options(title=title, auto_load=auto_load, playbook=playbook, loads=loads))

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def leave(number: int, _frame: object) -> None:
            if number == signal.SIGHUP and not _terminal_answers():
                os._exit(128 + number)  # with the terminal gone, Textual would block forever on its last write
            loop.call_soon_threadsafe(partial(app.exit, return_code=128 + number))

        for number in SIGNALS:
            signal.signal(number, leave)
        loop.call_later(SETTLED, gc.freeze)  # what is there by then stays: collections need not visit it
        await app.run_async()

    with _settings_kept():
        asyncio.run(run())
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def _terminal_answers() -> bool:
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (termios.error, ValueError, OSError):
        return False
    return True


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """Restore the terminal's settings if Textual could not."""
    try:
        settings = termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None
    except (termios.error, ValueError, OSError):
        settings = None
    try:
        yield
    finally:
        if settings is not None and sys.__stdin__:
            with contextlib.suppress(termios.error, ValueError, OSError):
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSADRAIN, settings)
