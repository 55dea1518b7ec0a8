"""Root tasks: the short-lived processes that do what requires root. Each reports directly to the collector."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import signal
import socket
import time
from collections import deque
from collections.abc import Callable

import msgspec

from ebpftop.base import crash
from ebpftop.base.forking import NO_PROCESS
from ebpftop.handover import protocol, transport
from ebpftop.supervisor import oom, privilege, process

CPU_SECONDS = 60  # a load computes for a fifth of a second; under software emulation for a few
WALL_SECONDS = 300.0  # and waits for a processor as long as the machine makes it
MEMORY = 1536 << 20  # bytes of address space; with BCC and LLVM, the largest loads take less than 400 MiB
FILE_SIZE = 256 << 20  # bytes; a verifier's log takes 64 MiB
MOST_AT_ONCE = 8
LOADS_AT_ONCE = (os.cpu_count() or 1) + 1  # of those: they compute, and more of them only make all of them late
MOST_WAITING = 128
MOST_OF_A_KIND = 2  # of those that wait and aren't loads: a collector waits for an answer before it asks again
NO_MEMORY, _NO_PROCESS, _NO_FILE = 112, 113, 114  # exit statuses
_SAID_OF_MEMORY = re.compile(r"std::bad_alloc|LLVM ERROR: out of memory|MemoryError")  # by C++, LLVM, Python
_RESERVED = 8  # places in the queue that loads never take: the census and the statistics serve all of them

Work = Callable[[socket.socket], None]


class NotStarted(Exception):
    """A task can't be started; its text is one line."""


class Task(msgspec.Struct, kw_only=True):
    """One task. work: None once it runs, as it holds the request, which may be large. `seconds`: how long it may take.
    `output`: a memfd with what it wrote to stderr. first: whether it goes before loads.
    """

    name: str
    run: int
    work: Work | None
    channel: socket.socket  # the task's end, closed here once it runs
    seconds: float
    first: bool
    deadline: float = 0.0
    output: int = -1
    overdue: bool = False


def limit() -> None:
    """Limit the resources of this process, before it reads anything."""
    _bound(resource.RLIMIT_CORE, 0, 0)
    _bound(resource.RLIMIT_AS, MEMORY, MEMORY)
    _bound(resource.RLIMIT_FSIZE, FILE_SIZE, FILE_SIZE)


def _bound(kind: int, soft: int, hard: int) -> None:
    """Never raise a lower limit: that requires CAP_SYS_RESOURCE, which containers lack."""
    most = _most(kind, hard)
    resource.setrlimit(kind, (min(soft, most), most))


def _most(kind: int, hard: int) -> int:
    there = resource.getrlimit(kind)[1]
    return hard if there == resource.RLIM_INFINITY else min(hard, there)


class Tasks:
    """Starts tasks, a few at a time, ends those that hang, and reports those that failed."""

    def __init__(self) -> None:
        self._running: dict[int, Task] = {}
        self._waiting: deque[Task] = deque()
        oom.killed()

    def start(
        self, name: str, run: int, work: Work, *, first: bool = False, seconds: float | None = None
    ) -> socket.socket:
        """Fork a task, or queue it until another one ends; `first` tasks go ahead of all others. It may take this many
        seconds, by default `WALL_SECONDS`.

        Returns the collector's end of its channel, which also reports a fork that fails. Raises `NotStarted`.
        """
        if len(self._waiting) >= MOST_WAITING + _RESERVED * first:
            raise NotStarted(f"not loaded: {MOST_WAITING} probes are waiting already, try again in a moment")
        if first and sum(each.first and each.name == name for each in self._waiting) >= MOST_OF_A_KIND:
            raise NotStarted(f"the {name} could not be started: {MOST_OF_A_KIND} are waiting already")
        try:
            theirs, ours = transport.one_way()
        except OSError as error:
            raise NotStarted(f"the {name} could not be started: {error.strerror}") from error
        limit = WALL_SECONDS if seconds is None else seconds
        task = Task(name=name, run=run, work=work, channel=theirs, seconds=limit, first=first)
        if first:
            self._waiting.appendleft(task)
        else:
            self._waiting.append(task)
        self._start_waiting()
        return ours

    def _start_waiting(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            task = self._waiting.popleft()
            try:
                self._fork(task)
            except OSError as error:  # no process or no descriptor to be had: the others go on
                failed = protocol.TaskFailed(error=f"the {task.name} could not be started: {error.strerror}")
                with contextlib.suppress(OSError):
                    transport.send(task.channel, failed)
            finally:
                task.channel.close()

    def _has_room(self, task: Task) -> bool:
        loads = sum(not each.first for each in self._running.values())
        return len(self._running) < MOST_AT_ONCE and (task.first or loads < LOADS_AT_ONCE)

    def _fork(self, task: Task) -> None:
        """Raises `OSError`."""
        task.output = os.memfd_create(f"ebpftop-{task.name}", os.MFD_CLOEXEC)
        parent, work, task.work = os.getpid(), task.work, None
        assert work is not None

        def child() -> int:
            process.die_with(parent, signal.SIGKILL)
            limit()
            _bound(resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 10)
            try:
                work(task.channel)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the collector is gone, and with it whom to report to
            except Exception as error:
                if crash.lacks_memory(error):
                    return NO_MEMORY
                if crash.lacks_process(error):
                    return _NO_PROCESS
                if isinstance(error, OSError) and error.errno == errno.EFBIG:
                    return _NO_FILE
                raise
            return 0

        try:
            pid = process.spawn(task.name, child, keep=[task.channel.fileno()], session=True, stderr=task.output)
        except OSError:
            os.close(task.output)
            raise
        task.deadline = time.monotonic() + task.seconds
        self._running[pid] = task

    def renumber(self, old: int, new: int) -> None:
        """A load that began early gets the number of its request's run."""
        for task in (*self._running.values(), *self._waiting):
            if task.run == old:
                task.run = new

    def next_deadline(self) -> float | None:
        """Monotonic seconds."""
        return min((task.deadline for task in self._running.values() if not task.overdue), default=None)

    def end_overdue(self) -> None:
        """Kill overdue tasks; `reap` reports them."""
        now = time.monotonic()
        for pid, task in self._running.items():
            if task.deadline <= now and not task.overdue:
                task.overdue = True
                privilege.kill(pid, signal.SIGKILL)

    def reap(self, pid: int, status: int) -> protocol.TaskEnded | None:
        """The report to the collector about a process that ended; None if it wasn't a task, or finished its work."""
        task = self._running.pop(pid, None)
        if task is None:
            return None
        self._start_waiting()
        output = os.pread(task.output, 1 << 24, 0).decode("utf-8", "replace")
        os.close(task.output)
        if status == 0:
            return None
        error = f"the {task.name} {how(status, task.seconds if task.overdue else None, output)}"
        return protocol.TaskEnded(run=task.run, error=error, output=output)

    def end_all(self) -> None:
        for task in self._waiting:
            task.channel.close()
        self._waiting.clear()
        for pid in self._running:
            privilege.kill(pid, signal.SIGKILL)


def how(status: int, overdue: float | None = None, output: str = "") -> str:
    """A wait status in words. C++ and LLVM abort when memory runs out, and say so in the output.

    overdue: the allowed seconds, if it exceeded them.
    """
    if overdue is not None:
        return f"took longer than {overdue:.0f} s and was stopped"
    code = os.waitstatus_to_exitcode(status)
    if -code == signal.SIGXCPU:
        return f"used more than {CPU_SECONDS} s of CPU time and was stopped"
    if code == NO_MEMORY or (-code == signal.SIGABRT and _SAID_OF_MEMORY.search(output)):
        return f"ran out of memory: limit {_most(resource.RLIMIT_AS, MEMORY) >> 20:,} MiB"
    if code == _NO_FILE:
        size = _most(resource.RLIMIT_FSIZE, FILE_SIZE)
        return f"could not write its files: limit {size:,} bytes (see 'ulimit -f')"
    if code == _NO_PROCESS:
        return f"ended: {NO_PROCESS}"
    if why := oom.killed().why(status):
        return f"was killed {why}"
    return f"exited with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
