"""Saving the terminal's state at startup and restoring it, even if the dashboard crashed."""

from __future__ import annotations

import contextlib
import os
import termios
from typing import Any

# Reset colours, show the cursor, wrap long lines, disable mouse, focus, paste and size reports, then leave the keyboard
# protocol and the alternate screen.
_MODES = (1000, 1002, 1003, 1006, 1015, 1016, 1004, 2004, 2026, 2048)
_RESET = b"\x1b[0m\x1b[?25h\x1b[?7h" + b"".join(b"\x1b[?%dl" % mode for mode in _MODES) + b"\x1b[<u\x1b[?1049l"


class Terminal:
    """The controlling terminal's settings at construction; does nothing without a terminal."""

    def __init__(self) -> None:
        self._fd: int | None = None
        self._settings: list[Any] = []
        with contextlib.suppress(OSError, termios.error):
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
            self._settings = termios.tcgetattr(self._fd)

    def restore(self, *, screen: bool) -> None:
        """Restore the settings; with `screen`, also undo the modes of a dashboard that could not clean up."""
        if self._fd is None or not self._settings:
            return
        with contextlib.suppress(OSError, termios.error):
            if screen:
                os.write(self._fd, _RESET)
            when = termios.TCSAFLUSH if screen else termios.TCSADRAIN  # discard unread input, such as mouse reports
            termios.tcsetattr(self._fd, when, self._settings)
