"""The folders named with --probes, read in a separate process, so that neither a file system that hangs nor a file that
takes long to parse blocks the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

import msgspec

from ebpftop.base.inert import inert
from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.folders import CatalogRead
from ebpftop.frames.codec import MALFORMED
from ebpftop.handover import protocol, transport
from ebpftop.handover.mailbox import Mailbox
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
        self.reports: Mailbox | None = None
        self.next_start: float | None = None  # in monotonic seconds, while there should be a reader and is none
        if current.next_look is None:
            return
        reports, waiting = self.start(), select.poll()
        waiting.register(reports, select.POLLIN)
        ended = os.pidfd_open(self.pid)
        waiting.register(ended, select.POLLIN)
        try:
            while all(ready != ended for ready, _ in waiting.poll()):
                if self.receive() and current.again:
                    return
        finally:
            os.close(ended)
        self.reaped(os.waitpid(self.pid, 0)[1])

    def restart(self) -> None:
        """Start a reader if there is none, after another pause if that isn't possible now."""
        try:
            self.start()
        except OSError:
            self.next_start = time.monotonic() + PAUSE

    def start(self) -> Mailbox:
        """Fork a reader. Its reports arrive at `reports`, which is returned. Raises `OSError`."""
        reports = Mailbox(_LARGEST)
        parent = os.getpid()

        def child() -> int:
            privilege.become_reader(self._who)
            process.die_with(parent, signal.SIGKILL)
            tasks.limit()
            return _report(self._current, reports)

        self._output = os.memfd_create("folders-output", os.MFD_CLOEXEC)
        try:
            self.pid = process.spawn("folders", child, keep=reports.descriptors, session=True, stderr=self._output)
        except OSError:
            os.close(self._output)
            reports.close()
            raise
        self.next_start = None
        self.reports = reports
        return reports

    def receive(self) -> bool:
        """Take a report of the reader; returns whether `catalog` changed. If it sends anything else, it is ended."""
        try:
            report = self.reports.take() if self.reports is not None else None
            if isinstance(report, protocol.CatalogRead):
                self._read = self.catalog = _decode(report.catalog)
                return True
            odd = report is not None
        except (transport.TransportError, *MALFORMED):
            odd = True
        if odd:
            self.end()
        return False

    def reaped(self, status: int) -> bool:
        """The reader has ended; returns whether `catalog` changed, which is so if a line says why it ended."""
        output = os.pread(self._output, 1 << 16, 0).decode("utf-8", "replace")
        os.close(self._output)
        self.pid = 0
        changed = self.receive()
        if self.reports is not None:
            self.reports.close()
        self.reports = None
        if status == 0:
            return changed
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


def _report(current: CurrentCatalog, reports: Mailbox) -> int:
    """The reader's work: read, wait and look again, as long as there is something to look at."""
    try:
        while (at := current.next_look) is not None:
            time.sleep(max(0.0, at - time.monotonic()))
            signal.alarm(LONGEST)  # its default action works while a system call hangs, too
            changed = current.look()
            signal.alarm(0)
            if changed:
                reports.post(protocol.CatalogRead(catalog=_encode(current.catalog)))
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
