"""Textual's driver, with the handling of job control and of the terminal's end that the program needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import TextIOWrapper
from typing import Any, TextIO, cast

from textual import events
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from ebpftop.base import jobs
from ebpftop.base.readable import readable
from ebpftop.ui.app.flow import Paints
from ebpftop.ui.drawing.console import CONSOLE

_TOGETHER = 0.05  # seconds within which signals came together
_ANSWERED = 0.5  # seconds in which a terminal answers; what comes later is typed into the shell
_AT_ONCE = 4096  # bytes of input
_ROW = 2  # of the cursor's position by which a question is recognized; row 1 is the answer to Shift-F3


class TerminalDriver(LinuxDriver):
    """Stops with the signals of job control, so that the supervisor can distinguish Ctrl-Z from a SIGSTOP by somebody
    else, and resumes only if it had stopped.

    Each painting ends with a query to the terminal: where is the cursor? The cursor is put at a position that encodes
    the painting's number. Terminals have answered this query since the VT100 (DSR 6 and CPR, ECMA-48 8.3.35 and
    8.3.14).
    """

    _suspended = _changing = False
    _continued = 0.0  # monotonic seconds
    _closed = True  # the terminal is someone else's, an editor's for instance

    def __init__(self, app: Any, **given: Any) -> None:
        super().__init__(app, **given)
        painter: Paints = app
        self._flow, self._go_on = painter.flow, painter.go_on
        self._queued = self._before = 0  # characters given to the writer; those before the last painting
        screen = cast("TextIOWrapper", sys.__stdout__)  # Textual takes stderr, which may be a file
        screen.reconfigure(errors="backslashreplace")  # as stderr
        self._output = _Counted(screen, lambda: self._app.call_later(self._written))
        self._file = cast("Any", self._output)
        self._answered = threading.Event()  # the last question was
        self._moves: list[events.MouseMove] = []  # the one that waits, if it was sent last
        self._table = CONSOLE if os.environ.get("TERM") == "linux" else None
        self._asks = False
        self._no_more_input = _Flag()

    def start_application_mode(self) -> None:
        self._closed = False
        self._asks = self.input_tty
        self._answered.set()
        if _in_background(self.fileno):
            with _stopping(signal.SIGTTOU):
                pass
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.painted()  # asks as early as possible whether it answers

    def painted(self) -> None:
        """Everything written since the last call is one painting."""
        self._flow.painted(self._queued - self._before)
        self._before = self._queued
        self._ask()

    def look(self) -> None:
        """Repeat the query if an answer may be lost."""
        if self._output.count == self._queued and self._flow.asks_again():
            self._ask()

    def _ask(self) -> None:
        if self._asks:
            self._answered.clear()
            self.write(f"\x1b7\x1b[{_ROW};{self._flow.number + 1}H\x1b[6n\x1b8")
        else:
            self.write("")  # the writer says when it is through

    def process_message(self, message: Message) -> None:
        """Runs in the thread that reads the terminal."""
        if isinstance(message, events.CursorPosition) and message.y == _ROW - 1:
            if message.x == self._flow.number:
                self._answered.set()
            self._app.call_later(self._heard, message.x)
        else:
            super().process_message(message)

    def send_message(self, message: Message) -> None:
        """Runs in that thread as well. A mouse can move faster than its movements are worked off: of those that wait,
        one after the other, the last counts.
        """
        if not isinstance(message, events.MouseMove):
            self._moves = []
            super().send_message(message)
            return
        try:
            self._moves[0] = message
        except IndexError:
            self._moves = [message]
            super().send_message(events.Callback(partial(self._moved, self._moves)))  # in turn with the others

    async def _moved(self, moves: list[events.MouseMove]) -> None:
        await self._app.on_event(moves.pop())

    async def _heard(self, number: int) -> None:
        if self._flow.answered(number):
            await self._go_on()

    async def _written(self) -> None:
        if self._output.count == self._queued and self._flow.written():
            await self._go_on()

    def disable_input(self) -> None:
        """Let the terminal answer first."""
        if self._asks and self._flow.answers and self._key_thread is not None and self._key_thread.is_alive():
            self._answered.wait(_ANSWERED)
        self._asks = False
        self._no_more_input.set()
        super().disable_input()
        self._no_more_input.clear()

    def close(self) -> None:
        self._closed = True
        super().close()

    def write(self, data: str) -> None:
        if self._writer_thread is not None and not self._writer_thread.is_alive():
            if not self._closed:
                self._closed = True
                self._end()  # the terminal takes no more output; Textual would wait for it forever
            return
        if self._table is not None:
            data = data.translate(self._table)
        self._queued += len(data)
        super().write(data)

    def run_input_thread(self) -> None:
        """As Textual does, but without reading the clock ten times a second while no key is pressed."""
        parser = _Parser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        patience: float | None = None  # seconds until it is clear what the beginning of a sequence means
        while not self.exit_event.is_set():
            ready = readable([self.fileno, self._no_more_input.fileno()], patience)
            if self.fileno in ready and (text := decode(os.read(self.fileno, _AT_ONCE))):
                for event in parser.feed(text):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
            patience = ESCAPE_DELAY if parser._timeout_time is not None else None

    def _run_input_thread(self) -> None:
        """End if the terminal can no longer be read."""
        try:
            self.run_input_thread()
        except OSError:
            self._end()

    def _end(self) -> None:
        self._app.call_later(self._app.exit, return_code=128 + signal.SIGHUP)

    def _sigtstp_application(self, *_: object) -> None:
        if self._changing or time.monotonic() < self._continued + _TOGETHER:
            return  # it came with a SIGCONT, whose handler Python runs first: nobody would continue us
        with self._change(), _stopping(signal.SIGTSTP):
            if self._auto_restart:
                self.suspend_application_mode()
                self._must_signal_resume = self._suspended = True
        self._resume()  # where nothing could continue us, the kernel doesn't stop us

    def _sigcont_application(self, *_: object) -> None:
        jobs.continue_parent()
        running = asyncio.get_running_loop()  # which a signal may interrupt anywhere
        running.call_soon_threadsafe(running.call_later, jobs.NOTICED, jobs.continue_parent)
        self._continued = time.monotonic()
        if not self._changing:
            self._resume()

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """One handler of a signal can interrupt another one."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    def _resume(self) -> None:
        if self._suspended:
            self._suspended = False
            with self._change():
                self.resume_application_mode()
            self._continued = time.monotonic()


class _Parser(XTermParser):
    """Skips a sequence at which Textual's parser raises."""

    def feed(self, data: str) -> Iterator[Message]:
        for character in data:
            yield from self._skipping(super().feed(character))

    def tick(self) -> Iterator[Message]:
        yield from self._skipping(super().tick())

    def _skipping(self, parsed: Iterable[Message]) -> Iterator[Message]:
        try:
            yield from parsed
        except Exception:
            XTermParser.__init__(self)


class _Flag:
    """A flag that a selector can wait for."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._descriptor

    def set(self) -> None:
        os.eventfd_write(self._descriptor, 1)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)


class _Counted:
    """The terminal as a file that counts the characters it has taken. flushed: called after it took
    all pending ones.
    """

    def __init__(self, file: TextIO, flushed: Callable[[], object]) -> None:
        self.count = 0
        self._file = file
        self._flushed = flushed

    def write(self, text: str) -> None:
        self._file.write(text)
        self.count += len(text)

    def flush(self) -> None:
        self._file.flush()
        self._flushed()

    def fileno(self) -> int:
        return self._file.fileno()


def _in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it is not the controlling terminal
        return False


@contextlib.contextmanager
def _stopping(number: signal.Signals) -> Iterator[None]:
    """Do what the signal does by default, after the work in this block; a SIGCONT from now on cancels it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    before = signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])  # returns when continued
        signal.signal(number, before)
