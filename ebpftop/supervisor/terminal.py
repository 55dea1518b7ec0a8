"""Saving the terminal's state at startup and restoring it, even if the dashboard crashed."""

from __future__ import annotations

import contextlib
import os
import termios
from pathlib import Path
from typing import Any

from ebpftop.base import screen
from ebpftop.base.hangup import terminals


class Terminal:
    """The settings, at construction, of the terminal among the standard streams, or else of the controlling terminal.
    Does nothing without a terminal.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        self._settings: list[Any] = []
        with contextlib.suppress(OSError, termios.error):
            if streams := terminals():
                self._fd = streams[-1]  # stderr, which Textual draws on
            else:
                self._fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
            self._settings = termios.tcgetattr(self._fd)

    def restore(self, *, screen_too: bool) -> None:
        """Restore the settings; with `screen_too`, also undo the modes of a dashboard that could not clean up."""
        if self._fd is None or not self._settings:
            return
        if screen_too:
            screen.reset(self._fd)
        if not _is_ours(self._fd):
            return  # the shell has restored its own
        with contextlib.suppress(OSError, termios.error):
            when = termios.TCSAFLUSH if screen_too else termios.TCSADRAIN  # discard unread input, such as mouse reports
            termios.tcsetattr(self._fd, when, self._settings)


def _is_ours(terminal: int) -> bool:
    """Whether we may change its settings: in the background, trying would stop this process."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # it is not the controlling terminal, and has no background
        return True


def outer() -> list[int]:
    """Descriptors of the terminals on which sudo shows ours, if it gave us one of its own (`use_pty`).

    sudo restores their settings when it ends, but not their screens.
    """
    found: dict[int, int] = {}
    mine = {os.fstat(number).st_rdev for number in terminals()}
    process = os.getppid()
    while process > 1:
        name, parent = _status(process)
        for number in (0, 1, 2) if name == "sudo" else ():
            with contextlib.suppress(OSError):
                terminal = os.open(
                    f"/proc/{process}/fd/{number}", os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
                )
                device = os.fstat(terminal).st_rdev
                if os.isatty(terminal) and device not in mine | found.keys():
                    found[device] = terminal
                else:
                    os.close(terminal)
        process = parent
    return list(found.values())


def _status(process: int) -> tuple[str, int]:
    """A process's name and parent, see proc_pid_stat(5); ("", 0) if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "", 0
    name, _, rest = text.partition(" (")[2].rpartition(") ")
    return name, int(rest.split()[1])
