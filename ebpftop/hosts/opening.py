"""Connecting to all hosts before a screen is drawn: only now may ssh ask on the terminal."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.stdio import Greeted
from ebpftop.hosts.ssh import CONNECTING, Ssh

_BEYOND = 10.0  # seconds more, in which the other side starts


class Opened:
    """A connection on which frames have begun, or why there is none."""

    def __init__(self, ssh: Ssh) -> None:
        self.ssh = ssh
        self.greeted = Greeted()
        self.problem = ""

    @property
    def is_done(self) -> bool:
        return bool(self.problem) or self.greeted.rest is not None

    def read(self) -> list[str]:
        """Take what came; the new lines on stderr."""
        said = self.ssh.hear()
        try:
            data = self.ssh.socket.recv(1 << 14)
            if data:
                self.greeted.feed(data)
        except BlockingIOError:
            return said
        except BadFrame as error:
            self.problem = str(error)
            return said
        except OSError:
            data = b""
        if not data:
            self.problem = self.ssh.why()
        return said


def open_all(names: Sequence[str], command: Sequence[str], err: TextIO) -> dict[str, Opened]:
    """A connection for each name: all at once without a question, then one after the other those that have to ask.

    What doesn't answer in time is given up for now. Raises `OSError` if ssh can't be started.
    """
    found = {name: Opened(Ssh(name, command)) for name in names}
    try:
        _wait(found.values(), CONNECTING + _BEYOND)
        for name, opened in found.items():
            if opened.problem and opened.ssh.could_ask and (terminal := _terminal()) >= 0:
                opened.ssh.end()
                print(f"ebpftop: {name}: {opened.problem}; ssh may ask now", file=err, flush=True)
                found[name] = again = Opened(Ssh(name, command, asks=True))
                with again.ssh.terminal(terminal):
                    _wait([again], None, err)
                os.close(terminal)
            elif not opened.is_done:
                opened.problem = f"no answer within {CONNECTING + _BEYOND:.0f} s"
    except BaseException:
        for opened in found.values():
            opened.ssh.end()
        raise
    for opened in found.values():
        if opened.problem:
            opened.ssh.end()
    return found


def _terminal() -> int:
    with contextlib.suppress(OSError):
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    return -1


def _wait(connections: Iterable[Opened], seconds: float | None, err: TextIO | None = None) -> None:
    """Until each has begun or failed, or so many seconds have passed. What ssh says meanwhile goes to `err`."""
    end = None if seconds is None else time.monotonic() + seconds
    while waiting := [opened for opened in connections if not opened.is_done]:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return
        files = {each.ssh.socket.fileno(): each for each in waiting}
        files |= {each.ssh.errors: each for each in waiting if not each.ssh.is_quiet}
        for number in select.select([*files], [], [], left)[0]:
            if not files[number].is_done:
                for line in files[number].read():
                    if err is not None:
                        print(line, file=err, flush=True)
