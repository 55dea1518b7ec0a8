"""A program on a pty of its own: what it writes is counted, its keys are typed."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from fcntl import ioctl
from pty import fork

import psutil


class Screen:
    """`written` counts bytes."""

    def __init__(self, command: Sequence[str], columns: int, rows: int) -> None:
        self.pid, self._terminal = fork()
        if self.pid == 0:
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)
            os.environ["TERM"] = "xterm-256color"
            os.execvp(command[0], list(command))
        ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.written = 0

    def keys(self, text: str, wait: float = 0.6) -> None:
        os.write(self._terminal, text.encode())
        self.read(wait)

    def read(self, seconds: float, until: Callable[[bytes], bool] = lambda _: False) -> bool:
        """Read what it writes for that long, or until a part of it is what is wanted."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                with contextlib.suppress(OSError):
                    part = os.read(self._terminal, 1 << 16)
                    self.written += len(part)
                    if until(part):
                        return True
        return False

    def seconds(self) -> float:
        """CPU time so far of the program and all below it."""
        total = 0.0
        root = psutil.Process(self.pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:2])
        return total

    def end(self) -> None:
        self.keys("\x1b", 0.3)
        self.keys("q", 0.0)
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            self.read(0.02)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                os.close(self._terminal)
                return
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            process.terminate()
        os.close(self._terminal)
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def running_on(command: Sequence[str], size: tuple[int, int]) -> Iterator[Screen]:
    screen = Screen(command, *size)
    try:
        yield screen
    finally:
        screen.end()
