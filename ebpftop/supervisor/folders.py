"""The folders named with --probes, read in a separate process, so that neither a file system that hangs nor a file that
takes long to parse blocks the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from ebpftop.base.inert import inert
from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.folders import CatalogRead
from ebpftop.frames.codec import MALFORMED
from ebpftop.handover import protocol, transport
from ebpftop.supervisor import privilege, process, tasks

LONGEST = 10  # seconds that one reading may take
PAUSE = 60.0  # seconds until a reader that was ended is started again
_LARGEST = 64 << 20  # bytes of a catalog


class Folders:
    """`catalog` is the last state read; the folders have been read once when the constructor returns.

    The reader has given up root. It ends itself if a reading takes too long. Then the catalog stays unchanged, with a
    line among its problems, and after a pause another reader starts.
    """

    def __init__(self, current: CurrentCatalog, who: privilege.Invoker | None) -> None:
        self._current, self._who = current, who
        self._read = self.catalog = current.catalog
        self.pid = 0
        self.reports: transport.Receiver | None = None
        self.next_start: float | None = None  # in monotonic seconds, while there should be a reader and is none
        if current.next_look is None:
            return
        reports = self.start().socket
        reports.setblocking(True)
        while self.receive() and not current.again:
            pass
        if self.reports is None:
            self.reaped(os.waitpid(self.pid, 0)[1])
        else:
            reports.setblocking(False)

    def restart(self) -> None:
        """Start a reader if there is none, after another pause if that isn't possible now."""
        try:
            self.start()
        except OSError:
            self.next_start = time.monotonic() + PAUSE

    def start(self) -> transport.Receiver:
        """Fork a reader. Its reports arrive at `reports`, which is returned. Raises `OSError`."""
        ours, theirs = transport.pair()
        parent = os.getpid()

        def child() -> int:
            privilege.become_reader(self._who)
            process.die_with(parent, signal.SIGKILL)
            tasks.limit()
            return _report(self._current, theirs)

        self._output = os.memfd_create("folders-output", os.MFD_CLOEXEC)
        try:
            self.pid = process.spawn("folders", child, keep=[theirs.fileno()], session=True, stderr=self._output)
        except OSError:
            os.close(self._output)
            raise
        theirs.close()
        ours.setblocking(False)
        self.next_start = None
        self.reports = transport.Receiver(ours, most=1, largest=_LARGEST)
        return self.reports

    def receive(self) -> bool:
        """Take a report of the reader; returns whether `catalog` changed. `reports` is None once there is no more."""
        if self.reports is None:
            return False
        try:
            received = self.reports.receive()
            if received is not None and isinstance(received[0], protocol.CatalogRead):
                self._read = self.catalog = _decode(received[0].catalog)
                return True
        except BlockingIOError:
            return False  # not a whole message yet
        except (transport.TransportError, *MALFORMED, OSError):
            pass
        self.reports.close()
        self.reports = None
        self.end()
        return False

    def reaped(self, status: int) -> bool:
        """The reader has ended; returns whether `catalog` changed, which is so if a line says why it ended."""
        output = os.pread(self._output, 1 << 16, 0).decode("utf-8", "replace")
        os.close(self._output)
        self.pid = 0
        if status == 0:
            return False
        self.next_start = time.monotonic() + PAUSE
        how = tasks.how(status, output=output)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            how = f"took longer than {LONGEST} s and was stopped"
        names = ", ".join(inert(str(folder)) for folder in self._current.extra)
        line = f"{names}: reading {how}; keeping what was read before, trying again in {PAUSE:.0f} s"
        self.catalog = msgspec.structs.replace(self._read, problems=[*self._read.problems, line])
        return True

    def is_due(self) -> bool:
        """Whether a reader should be started."""
        return self.next_start is not None and time.monotonic() >= self.next_start

    def end(self) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                privilege.kill(self.pid, signal.SIGKILL)


def _report(current: CurrentCatalog, channel: socket.socket) -> int:
    """The reader's work: read, wait and look again, as long as there is something to look at."""
    try:
        while (at := current.next_look) is not None:
            time.sleep(max(0.0, at - time.monotonic()))
            signal.alarm(LONGEST)  # its default action works while a system call hangs, too
            changed = current.look()
            signal.alarm(0)
            if changed:
                transport.send(channel, protocol.CatalogRead(catalog=_encode(current.catalog)))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor is gone
    except MemoryError:
        return tasks.NO_MEMORY
    return 0


def _encode(catalog: CatalogRead) -> bytes:
    return msgspec.msgpack.encode(catalog, enc_hook=_from_path)


def _decode(data: bytes) -> CatalogRead:
    """Raises the exceptions in `MALFORMED`."""
    return msgspec.msgpack.decode(data, type=CatalogRead, dec_hook=_to_path)


def _from_path(value: Any) -> bytes:
    assert isinstance(value, Path)
    return os.fsencode(value)


def _to_path(kind: type, value: Any) -> Any:
    if kind is not Path or not isinstance(value, bytes):
        raise ValueError(f"expected a path, not {value!a:.40}")
    return Path(os.fsdecode(value))
