"""A terminal that is nobody's controlling terminal, as `su -c` leaves it: no signal reports its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence

from tests.support.command import CHECKOUT
from tests.support.processes import SLOWER

PATIENCE = 60.0


class BarePty:
    """A program with a terminal as its standard streams, in a session without a controlling one. `shown` is all its
    output.
    """

    def __init__(
        self,
        command: Sequence[str],
        ignored: Sequence[signal.Signals] = (),
        size: tuple[int, int] = (30, 100),
        **streams: int,
    ) -> None:
        self._ours, self.terminal = pty.openpty()
        self._readable = select.poll()
        self._readable.register(self._ours, select.POLLIN)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
        self.settings = termios.tcgetattr(self.terminal)
        self.shown = b""

        def ignore() -> None:
            for number in (signal.SIGINT, signal.SIGQUIT):  # a shell's background job ignores them
                signal.signal(number, signal.SIG_DFL)
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        self.process = subprocess.Popen(
            command,
            **{name: self.terminal for name in ("stdin", "stdout", "stderr")} | streams,
            start_new_session=True,
            preexec_fn=ignore,
            cwd=CHECKOUT,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def read(self, seconds: float = 0.1) -> bytes:
        """All output so far; waits up to these seconds for more."""
        if self._readable.poll(seconds * 1000):
            self.shown += os.read(self._ours, 1 << 16)
        return self.shown

    def wait_for(self, text: str) -> None:
        self.wait_until(lambda: text.encode() in self.shown, f"{text} is shown")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition, and keep reading: a program blocks if nobody reads its output."""
        deadline = time.monotonic() + PATIENCE * SLOWER
        while not condition():
            assert time.monotonic() < deadline, f"not so: {what}:\n{self.shown[-2000:]!r}"
            self.read()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def hang_up(self) -> None:
        """End the terminal."""
        os.close(self.terminal)
        os.close(self._ours)
        self.terminal = self._ours = -1


@contextlib.contextmanager
def bare_pty(
    command: Sequence[str],
    ignored: Sequence[signal.Signals] = (),
    size: tuple[int, int] = (30, 100),
    **streams: int,
) -> Iterator[BarePty]:
    """`size`: rows and columns. `streams`: descriptors for stdin, stdout, stderr instead of the terminal."""
    started = BarePty(command, ignored, size, **streams)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        if started.terminal >= 0:
            started.hang_up()
