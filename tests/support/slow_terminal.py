"""A terminal that takes output at a chosen rate. It shows what it has taken, and only then answers queries in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock, Thread, Timer

import pyte

from tests.support.command import CHECKOUT
from tests.support.processes import SLOWER

PATIENCE = 90.0
TICK = 0.1  # seconds
FAST = 1 << 24  # bytes a second


class _Screen(pyte.Screen):
    def __init__(self, columns: int, rows: int, answer: Callable[[str], object]) -> None:
        super().__init__(columns, rows)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class SlowTerminal:
    """`rate`: bytes a second that it takes; 0 means stopped. `taken`: bytes so far. `way`: seconds that an answer
    takes.

    watch: called with the lines on the screen after each piece of output. It isn't called for pieces that end within
    the first line, which then is half of one painting and half of another.
    """

    def __init__(self, command: Sequence[str], columns: int, rows: int) -> None:
        self.rate: float = FAST
        self.taken = 0
        self.way = 0.0
        self.watch: Callable[[list[str]], object] = lambda lines: None
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self._screen = _Screen(columns, rows, self._answer)
        self._stream = pyte.ByteStream(self._screen)
        self._lock, self._over = Lock(), Event()

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=own_terminal,
            cwd=CHECKOUT,
            env={**environment, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        os.close(theirs)
        self._thread = Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while not self._over.is_set():
            left = int(self.rate * TICK)
            if self.rate < FAST:
                self._over.wait(TICK)
            else:
                self._readable(TICK)
            while left > 0 and self._readable(0):
                try:
                    part = os.read(self._ours, min(left, 4096))
                except OSError:  # the program has ended
                    return
                left -= len(part)
                with self._lock:
                    self.taken += len(part)
                    self._stream.feed(part)
                    if self._screen.cursor.y > 0:
                        self.watch(self._screen.display)

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self._ours], [], [], seconds)[0])

    def _answer(self, text: str) -> None:
        if self.way:
            late = Timer(self.way, self._answer_late, [text])
            late.daemon = True
            late.start()
        else:
            self.type(text)

    def _answer_late(self, text: str) -> None:
        if not self._over.is_set():
            self.type(text)

    def text(self) -> str:
        with self._lock:
            return "\n".join(self._screen.display)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, *wanted: str) -> None:
        """Wait until it shows all of these."""
        self.wait_until(lambda: all(each in self.text() for each in wanted), f"{wanted} is shown")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE * SLOWER
        while not condition():
            assert time.monotonic() < deadline, f"not so: {what}:\n{self.text()}"
            time.sleep(TICK)

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def slow_terminal(command: Sequence[str], columns: int = 120, rows: int = 36) -> Iterator[SlowTerminal]:
    started = SlowTerminal(command, columns, rows)
    try:
        yield started
    finally:
        started.end()
