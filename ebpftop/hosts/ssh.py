"""One connection: the user's ssh, with `ebpftop serve --stdio` at its other end.

Configuration, keys, agent, jump hosts and multiplexing are left to ssh. It gets no terminal on the other side, because
a terminal would change bytes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence

from ebpftop import __version__
from ebpftop.base.inert import inert

CONNECTING = 30  # seconds that a connection may take: a machine in trouble is slow
BEGINNING = 30.0  # seconds more, in which the other side starts
_REMOTE = "exec sh -c 'PATH=$PATH:$HOME/.local/bin:/usr/local/bin; exec ebpftop serve --stdio'"
# ssh itself ends where nothing answers any more, also once nobody is left to end it.
_OPTIONS = ("-T", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", f"ConnectTimeout={CONNECTING}")
_SAID = 20  # last lines of stderr that are kept
_TOLD = 500  # lines of it that are returned in all
_PIECES = 5  # of 16 KiB, at one time: as much as a pipe holds, and its end
_LONGEST = 300  # characters of one
SUDOERS = "ebpftop: if sudo asks for a password there, /etc/sudoers.d/ebpftop needs the line: "
_ASKED = ("Permission denied", "Host key verification failed", "Too many authentication failures")


class Ssh:
    """A connecting process. asks: it may ask on the terminal, if it has the terminal (`terminal`).

    socket: carries frames and requests. errors: its stderr. Raises `OSError` if it can't be started.
    """

    def __init__(self, host: str, command: Sequence[str], *, asks: bool = False) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        self.errors, theirs_too = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(theirs_too, True)
        self.is_quiet = False  # nothing more will come on stderr
        self._said: list[str] = []
        self._lines = 0  # so far
        self._partial = b""
        batch = () if asks else ("-o", "BatchMode=yes")
        try:
            self._process = subprocess.Popen(
                [*command, *_OPTIONS, *batch, "--", host, _REMOTE],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=theirs_too,
                process_group=0,  # Ctrl-C is for us: probes are detached, and their sums come
            )
        except OSError as error:
            self.close()
            raise OSError(error.errno, f"{inert(command[0])} can't be started: {error.strerror}") from None
        finally:
            theirs.close()
            os.close(theirs_too)

    @contextlib.contextmanager
    def terminal(self, fd: int) -> Iterator[None]:
        """It has the terminal in the meantime."""
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(fd, self._process.pid)
            self._process.send_signal(signal.SIGCONT)  # it may have asked before it had it
            yield
        finally:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(fd, os.getpgrp())
            signal.signal(signal.SIGTTOU, before)

    def hear(self) -> list[str]:
        """Take output on stderr; returns the new lines, inert. Output without end is taken a piece at a time, and only
        its first lines are returned.
        """
        lines: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(_PIECES):
                if self.is_quiet or self.errors < 0:
                    break
                data = os.read(self.errors, 1 << 14)
                self.is_quiet = not data
                *more, self._partial = (self._partial + (data or b"\n")).split(b"\n")
                self._partial = self._partial[-_LONGEST:]
                lines += [stripped for line in more if (stripped := line.strip())]
        self._said = [*self._said, *map(_shown, lines[-_SAID:])][-_SAID:]
        room = max(0, _TOLD - self._lines)
        is_last = self._lines <= _TOLD < self._lines + len(lines)
        self._lines += len(lines)
        return [*map(_shown, lines[:room]), *(["the other side says more, which is left out"] if is_last else [])]

    @property
    def could_ask(self) -> bool:
        """Whether it failed because it was not allowed to ask."""
        return self._process.poll() == 255 and any(word in line for line in self._said for word in _ASKED)

    def why(self) -> str:
        """One line: why it has ended, and what would help. Waits briefly for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self.hear()
        return reason(self._process.poll(), self._said)

    def hang_up(self) -> None:
        """Close the connection: the reader of the socket sees its end, and so does the other side."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        self.socket.close()
        if self.errors >= 0:
            os.close(self.errors)
            self.errors = -1

    def end(self) -> None:
        """Close it, and wait briefly for its end."""
        self.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
                return


def _shown(line: bytes) -> str:
    return inert(line[:_LONGEST].decode(errors="backslashreplace"))


def reason(status: int | None, said: Sequence[str]) -> str:
    """The meaning of a connection's end.

    status: ssh's, None while it runs. said: the lines on stderr, the last one last.
    """
    remedy = next((line.removeprefix(SUDOERS) for line in said if line.startswith(SUDOERS)), "")
    lines = [line for line in said if not line.startswith(SUDOERS)]
    last = lines[-1] if lines else ""
    ours = next((line for line in reversed(lines) if line.startswith("ebpftop: ")), "").removeprefix("ebpftop: ")
    sudo = next((line for line in reversed(lines) if line.startswith("sudo: ")), "").removeprefix("sudo: ")
    if status == 127:
        return f"ebpftop is not on the PATH there: install ebpftop {__version__} for all users there"
    if remedy and not ours:
        return (
            f"no root there ({sudo or last or 'sudo failed'}): /etc/sudoers.d/ebpftop there needs the line '{remedy}'"
        )
    if ours:
        return ours
    if status is not None and status < 0:
        return f"ssh was killed by {signal.Signals(-status).name}"
    return last or ("ssh could not connect" if status == 255 else "the connection was closed")
