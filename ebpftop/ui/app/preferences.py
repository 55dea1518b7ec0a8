"""The user's settings in the dashboard: applying them, and editing them in the user's editor."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ebpftop.base.inert import inert
from ebpftop.catalog.settings import Settings, read_settings
from ebpftop.export import files
from ebpftop.ui.drawing.theme import DARK, LIGHT

if TYPE_CHECKING:
    from ebpftop.ui.app.time_keys import TimeKeys

TOLD = 3  # problems, each a notice
LATER = ("budget", "folders", "mouse", "playbook")  # what only a start reads
TEMPLATE = """\
# Settings of ebpftop. Remove the # of a line to use it.

# theme = "light"               # or "dark"
# interval = 2                  # seconds
# budget = 10                   # percent of one CPU, for all probes
# playbook = "first-minute"     # opened at the start; "last": the probes of the last session
# folders = ["~/probes"]        # folders of probes to add to the bundled ones
# mouse = false                 # leave the mouse to the terminal, for selecting text

# One key per action: a character such as "D" or "?", or a name such as "ctrl+d", "f5" or "space".
[keys]
"""


class Preferences:
    """Applies settings to an application, at its start and after editing."""

    def __init__(self, app: TimeKeys, settings: Settings) -> None:
        self._app, self._settings = app, settings

    def apply(self) -> None:
        """Apply theme and keys; mistakes are reported."""
        settings, problems = self._settings, list(self._settings.problems)
        if settings.theme:
            self._app.theme = (LIGHT if settings.theme == "light" else DARK).name
        self._app.keymap = {}
        if settings.keys:
            from ebpftop.ui.app.keymap import checked  # knows all screens

            self._app.keymap, wrong = checked(settings.keys, self._app.BINDINGS)
            problems += [f"{settings.places[inert(f'keys.{name}')]}: {what}; ignored" for name, what in wrong]
        self._app.set_keymap(self._app.keymap)
        for text in problems[:TOLD]:
            self._app.notice(text, "warning")
        if len(problems) > TOLD:
            self._app.notice(f"and {len(problems) - TOLD} more in the settings", "warning")

    async def edit(self) -> None:
        """Open the file in the user's editor, and apply the changes."""
        file, before = self._settings.file, self._settings
        if file is None:
            self._app.notice("settings are not used without a home folder, nor when tracing with capabilities", "info")
            return
        from ebpftop.ui.actions import editor
        from ebpftop.ui.app.keymap import listed

        try:
            _begin(file, TEMPLATE + "".join(listed(self._app.BINDINGS)))
        except OSError as error:
            self._app.notice(f"{file}: {error.strerror}", "error")
            return
        if trouble := await editor.edit(self._app, str(file), None):
            self._app.notice(trouble, "error")
        self._settings = now = read_settings(file, {0, os.geteuid()})
        self.apply()
        if now.interval and now.interval != before.interval:
            await self._app.change_interval(now.interval)
        if later := [name for name in LATER if getattr(now, name) != getattr(before, name)]:
            self._app.notice(f"{' and '.join(later)}: applied at the next start", "info")


def _begin(file: Path, text: str) -> None:
    """Create the file if there is none. Raises `OSError`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(files.FileRefused):  # there is one
        files.write(file, text.encode())
