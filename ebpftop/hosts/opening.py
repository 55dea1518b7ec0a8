"""Connects to all hosts before a screen is drawn: only then may ssh ask on the terminal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Sequence
from math import inf
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.base.readable import readable
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.stdio import Greeted
from ebpftop.hosts.ssh import BEGINNING, CONNECTING, Ssh

_QUIETLY = 4.0  # seconds for which it isn't said that we wait
_SOON = 10.0  # seconds after which nobody waits for the rest, where some are there


class Opened:
    """A connection on which frames have begun, or why there is none."""

    def __init__(self, ssh: Ssh) -> None:
        self.ssh = ssh
        self.greeted = Greeted()
        self.problem = ""

    @property
    def has_begun(self) -> bool:
        return not self.problem and self.greeted.rest is not None

    @property
    def is_done(self) -> bool:
        return bool(self.problem) or self.has_begun

    def read(self) -> list[str]:
        """Take the received bytes; returns new lines on stderr."""
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


def open_all(names: Sequence[str], command: Sequence[str], err: TextIO, *, alone: bool) -> dict[str, Opened]:
    """A connection for each name: first all at once without questions, then one after the other those that have to ask.

    If others are there, a slow host may begin later. alone: there are no others. Raises `OSError` if ssh can't be
    started.
    """
    found = {name: Opened(Ssh(name, command)) for name in names}
    try:
        _wait(found.values(), _QUIETLY, _QUIETLY, alone=alone)
        if late := [inert(name) for name, opened in found.items() if not opened.is_done]:
            print(f"ebpftop: waiting for {', '.join(late)}; Ctrl-C stops", file=err, flush=True)
        _wait(found.values(), CONNECTING + BEGINNING - _QUIETLY, _SOON - _QUIETLY, alone=alone)
        some = not alone or any(each.has_begun for each in found.values())
        for name, opened in found.items():
            if opened.problem and opened.ssh.could_ask and (terminal := _terminal()) >= 0:
                opened.ssh.end()
                print(
                    f"ebpftop: {name}: {opened.problem.rstrip('.')}; trying again, ssh may ask a question",
                    file=err,
                    flush=True,
                )
                found[name] = again = Opened(Ssh(name, command, asks=True))
                with again.ssh.terminal(terminal):
                    _wait([again], err=err)
                os.close(terminal)
            elif not (opened.is_done or some):
                opened.problem = "no answer yet"
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


def _wait(
    connections: Collection[Opened],
    seconds: float = inf,
    soon: float = inf,
    *,
    alone: bool = True,
    err: TextIO | None = None,
) -> None:
    """Until each has begun or failed, or so many seconds have passed: `soon`, where one has begun, may ask, or isn't
    alone. What ssh says meanwhile goes to `err`.
    """
    began = time.monotonic()
    while waiting := [opened for opened in connections if not opened.is_done]:
        some = not alone or any(opened.has_begun or (opened.problem and opened.ssh.could_ask) for opened in connections)
        left = began + (soon if some else seconds) - time.monotonic()
        if left <= 0:
            return
        files = {each.ssh.socket.fileno(): each for each in waiting}
        files |= {each.ssh.errors: each for each in waiting if not each.ssh.is_quiet}
        for number in readable(files, None if left == inf else left):
            if not files[number].is_done:
                for line in files[number].read():
                    if err is not None:
                        print(line, file=err, flush=True)
