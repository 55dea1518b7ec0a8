"""Textual's driver, with the terminal's end and job control as the program needs them."""

from __future__ import annotations

import os
import signal

from textual.drivers.linux_driver import LinuxDriver


class TerminalDriver(LinuxDriver):
    """Stops by the signals of job control, so that the supervisor can tell Ctrl-Z from a SIGSTOP that is not its own
    business, and starts again only if it had stopped.
    """

    _suspended = False
    _closed = True  # the terminal is someone else's, an editor's for instance

    def start_application_mode(self) -> None:
        self._closed = False
        if _in_background(self.fileno):
            _stop(signal.SIGTTOU)
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
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = self._suspended = True
        _stop(signal.SIGTSTP)
        self._resume()  # where nothing could continue us, the kernel doesn't stop us

    def _sigcont_application(self, *_: object) -> None:
        self._resume()

    def _resume(self) -> None:
        if self._suspended:
            self._suspended = False
            self.resume_application_mode()


def _in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it is not the controlling terminal
        return False


def _stop(number: signal.Signals) -> None:
    """Do what the signal does by default; return when continued."""
    before = signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    signal.signal(number, before)
