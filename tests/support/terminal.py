"""A real terminal for end-to-end tests: a private tmux server, driven by keys, read as text."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PATIENCE = 60.0


class Terminal:
    """One tmux pane. Its text is what a user would see."""

    def __init__(self, socket: Path, columns: int, rows: int, command: Sequence[str] | str) -> None:
        self._socket = socket
        line = command if isinstance(command, str) else shlex.join(command)
        size = ["-x", str(columns), "-y", str(rows)]
        # Before the pane exists, as a command that exits immediately would close it.
        stay = ["set-option", "-g", "remain-on-exit", "on", ";"]
        self._tmux("-f", "/dev/null", "start-server", ";", *stay, "new-session", "-d", *size, line)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        # A size in the environment would override the pane's.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names ("Enter", "C-c", "a")."""
        for name in names:
            self.send(name)
            time.sleep(0.05)

    def send(self, *names: str) -> None:
        """The same without a pause."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def copied(self) -> str:
        """The contents of tmux's buffer."""
        return self._tmux("show-buffer")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def pid(self) -> int:
        """The pid of the command that was started."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}").strip())

    def cursor(self) -> int:
        """The cursor's line, from 0; in a form, that of the focused field."""
        return int(self._tmux("display-message", "-p", "#{cursor_y}").strip())

    def untouched(self) -> bool:
        """Whether the main screen is shown with its cursor, long lines wrap, and mouse reports are off."""
        flags = "#{alternate_on} #{cursor_flag} #{wrap_flag} #{mouse_any_flag}"
        return self._tmux("display-message", "-p", flags).strip() == "0 1 1 0"

    def ended(self) -> bool:
        return self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def status(self) -> int:
        """The exit status of the command; -1 if a signal ended it.

        tmux may see the end of the output first, and may then miss the child's own end until it gets another SIGCHLD.
        """
        ended = ""
        while not ended:
            server, ended = (
                self._tmux("display-message", "-p", "#{pid} #{?pane_dead_signal,-1,#{pane_dead_status}}")
                .rstrip("\n")
                .split(" ")
            )
            if not ended:
                os.kill(int(server), signal.SIGCHLD)
                time.sleep(0.05)
        return int(ended)

    def wait_for(self, *wanted: str, patience: float = PATIENCE) -> str:
        """The screen, once it contains all of these; fails with the actual screen."""
        deadline = time.monotonic() + patience
        while True:
            shown = self.text()
            if all(text in shown for text in wanted):
                return shown
            assert time.monotonic() < deadline, f"the screen never showed {wanted}:\n{shown}"
            time.sleep(0.1)

    def wait_for_end(self, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not self.ended():
            assert time.monotonic() < deadline, f"it did not end:\n{self.text()}"
            time.sleep(0.1)


@contextlib.contextmanager
def terminal(command: Sequence[str] | str, columns: int = 120, rows: int = 40) -> Iterator[Terminal]:
    """A pane that runs the command; its server is ended with it."""
    with tempfile.TemporaryDirectory(prefix="ebpftop-tmux-") as folder:
        socket = Path(folder) / "socket"
        try:
            yield Terminal(socket, columns, rows, command)
        finally:
            subprocess.run(["tmux", "-S", str(socket), "kill-server"], capture_output=True, check=False)
