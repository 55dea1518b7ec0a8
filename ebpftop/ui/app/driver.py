"""Textual's driver, with the terminal's end and job control as the program needs them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator

from textual.drivers.linux_driver import LinuxDriver

from ebpftop.base import jobs

_TOGETHER = 0.05  # seconds within which signals came together


class TerminalDriver(LinuxDriver):
    """Stops by the signals of job control, so that the supervisor can tell Ctrl-Z from a SIGSTOP that is not its own
    business, and starts again only if it had stopped.
    """

    _suspended = _changing = False
    _continued = 0.0  # monotonic seconds
    _closed = True  # the terminal is someone else's, an editor's for instance

    def start_application_mode(self) -> None:
        self._closed = False
        if _in_background(self.fileno):
            with _stopping(signal.SIGTTOU):
                pass
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._closed = True
        super().close()

    def write(self, data: str) -> None:
        if self._writer_thread is not None and not self._writer_thread.is_alive():
            if not self._closed:
                self._closed = True
                self._end()  # the terminal takes no more output; Textual would wait for it forever
            return
        super().write(data)

    def _run_input_thread(self) -> None:
        """A terminal that can't be read any more is the end."""
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
        asyncio.get_running_loop().call_later(jobs.NOTICED, jobs.continue_parent)
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


def _in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it is not the controlling terminal
        return False


@contextlib.contextmanager
def _stopping(number: signal.Signals) -> Iterator[None]:
    """Do what the signal does by default, after what is done in here; a SIGCONT from now on takes it back."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    before = signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])  # returns when continued
        signal.signal(number, before)
