"""Root tasks: the short-lived processes that do what only root may, each reporting straight to the collector."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable

import msgspec

from ebpftop import handover
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Rejected
from ebpftop.loader import failures
from ebpftop.supervisor import process

LOAD_SECONDS = 60.0  # a load takes a fifth of a second; under software emulation a few
MOST_AT_ONCE = 8


class Task(msgspec.Struct, kw_only=True):
    """One running task. `output` is a memfd with what it wrote to stderr; `probe` is None for tasks that load
    nothing.
    """

    pid: int
    run: int
    deadline: float
    output: int
    probe: Probe | None
    overdue: bool = False


class Tasks:
    """Starts tasks, ends those that hang, and tells what became of those that failed."""

    def __init__(self) -> None:
        self._running: dict[int, Task] = {}

    def start(
        self, name: str, run: int, work: Callable[[socket.socket], None], *, probe: Probe | None = None
    ) -> socket.socket:
        """Fork a task; returns the collector's end of its channel. Raises `OSError`."""
        ours, theirs = handover.pair()
        output = os.memfd_create(f"ebpftop-{name}", os.MFD_CLOEXEC)
        parent = os.getpid()

        def child() -> int:
            process.die_with(parent, signal.SIGKILL)
            with contextlib.suppress(BrokenPipeError):  # the collector is gone, and with it whom to report to
                work(theirs)
            return 0

        try:
            pid = process.spawn(name, child, keep=[theirs.fileno()], session=True, stderr=output)
        finally:
            theirs.close()
        self._running[pid] = Task(
            pid=pid, run=run, deadline=time.monotonic() + LOAD_SECONDS, output=output, probe=probe
        )
        return ours

    def renumber(self, old: int, new: int) -> None:
        """A load that began early is now known as the run it was asked for as."""
        for task in self._running.values():
            if task.run == old:
                task.run = new

    @property
    def full(self) -> bool:
        return len(self._running) >= MOST_AT_ONCE

    def next_deadline(self) -> float | None:
        """Monotonic seconds."""
        return min((task.deadline for task in self._running.values() if not task.overdue), default=None)

    def end_overdue(self) -> None:
        """Kill what is over its time; `reap` reports it."""
        now = time.monotonic()
        for task in self._running.values():
            if task.deadline <= now and not task.overdue:
                task.overdue = True
                os.kill(task.pid, signal.SIGKILL)

    def reap(self, pid: int, status: int) -> handover.TaskEnded | None:
        """What the collector has to know of a process that ended: nothing when it was no task, or one that did its
        work.
        """
        task = self._running.pop(pid, None)
        if task is None:
            return None
        output = os.pread(task.output, 1 << 24, 0).decode("utf-8", "replace")
        os.close(task.output)
        if status == 0:
            return None
        how = _how(status)
        ended = (
            f"the loader took longer than {LOAD_SECONDS:.0f} s and was ended" if task.overdue else f"the loader {how}"
        )
        if task.probe is None:
            rejected = Rejected(run=0, probe="", params={}, stage="attach", error=ended, log=output)
        else:
            rejected = failures.compile_failure(task.probe, None, output, ended)
        return handover.TaskEnded(run=task.run, rejected=rejected)

    def end_all(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)


def _how(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"ended with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
