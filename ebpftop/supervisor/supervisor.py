"""The supervisor: root, no BPF descriptors, few imports. It outlives every other process of ours and cleans up after
each.

             ┌ control ┐            ┌ stream: frames, requests ┐
supervisor ──┤         ├── collector ┤                        ├── consumer (dashboard, headless run)
    │        └─────────┘            └────────────────────────┘        │
    ├── reader of the folders named with --probes                     │
    ├── root tasks: their channel's other end goes to the collector   │
    └───────────────────────── control: restart ──────────────────────┘
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import msgspec

from ebpftop.base import hangup
from ebpftop.base.inert import inert_lines, quoted
from ebpftop.catalog import info, params
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Catalog, Load
from ebpftop.handover import protocol
from ebpftop.handover.mailbox import Control
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.kernel.ownership import only_root_writes
from ebpftop.loader import (
    code,
    containers,
    memory_events,
    processes,
    programs,
    run_times,
    survey,
    symbolize,
    threads,
)
from ebpftop.supervisor import oom, privilege, process
from ebpftop.supervisor.children import Started, spawn
from ebpftop.supervisor.early import EarlyLoads
from ebpftop.supervisor.folders import Folders
from ebpftop.supervisor.link import Link
from ebpftop.supervisor.orders import Orders, loader
from ebpftop.supervisor.tasks import NotStarted, Tasks, Work

Collector = Callable[[Catalog, Control, socket.socket], int]
"""Runs in the collector's process: (catalog, control, stream) → exit status. Whatever it imports, it imports there."""

_JOB_CONTROL = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_PATIENCE = 2.0  # seconds that the consumer gets to end by itself
_COLLECTORS_PATIENCE = 0.4  # and the collector
_RESTORING = 0.5  # seconds that restoring the terminal may take then
_AT_LATEST = 2.5  # seconds after a signal, by which everything has ended, whatever this process is doing
_LARGEST = 4 << 20  # bytes of a collector's message: some 150,000 addresses
_OUTPUT = 1 << 16  # bytes of collectors' output that are passed on
SURVEY_RUN = 0  # the run number under which the collector knows the survey


class Plan(msgspec.Struct, kw_only=True):
    """What a command needs from the supervisor.

    internal: probes that aren't part of the catalog, by id. expected: the requests that the consumer will send at once,
    by their numbers, and the collector's own, whose number is 0; they load while both still start.
    tied_to: terminals and pipes; when one of them has no other side any more, the command ends.
    """

    folders: Folders
    internal: dict[str, Probe]
    includes: dict[str, str]
    bcc: Path
    collector: Collector
    expected: list[Load]
    survey: bool
    tied_to: Collection[int] = ()


class Supervisor:
    """One run of a command; `run` returns its exit status."""

    def __init__(self, plan: Plan, started: Started) -> None:
        self.plan = plan
        self.tasks = Tasks()
        self._started = started
        self._orders = Orders(plan.folders, plan.internal, plan.includes, plan.bcc, started.invoker)
        self._early = EarlyLoads(self.tasks)
        self._accounting = run_times.Accounting()
        self._selector = selectors.DefaultSelector()
        self._collector = 0
        self._output = -1  # a memfd with what collectors wrote to stderr: a dashboard has the terminal to itself
        self._link: Link | None = None  # to the collector
        self._consumer = started.consumer.pid
        self._status: int | None = None
        self._why = ""  # the consumer was killed, if not by a signal that somebody sent
        self._ending_since = 0.0
        self._ended_by = 0  # the signal that began the end
        self._is_overdue = False  # the consumer did not end by itself

    def run(self) -> int:
        """Start the other processes and stay until the consumer has ended."""
        wakeup = self._catch_signals()
        only_roots_modules()
        self._early.start(self.plan.expected, self._orders.expected, loader)
        self._start_collector(self._started.stream)
        link = Link(
            self._selector,
            self._started.consumer.control,
            lambda message: self._on_consumer(link, message),
            lambda: None,
        )
        self._reap()  # what ended before signals were caught
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._on_signals(wakeup))
        self._watch_terminal()
        self._watch_folders()
        try:
            while self._status is None:
                for key, _ in self._selector.select(self._timeout()):
                    key.data()
                self.tasks.end_overdue()
                if self.plan.folders.is_due():
                    self.plan.folders.restart()
                    self._watch_folders()
                if self._status is None and self._ending_since and time.monotonic() > self._ending_since + _PATIENCE:
                    self._is_overdue = True
                    privilege.kill(self._consumer, signal.SIGKILL)
        except BaseException:
            self._end_others()
            self._started.terminal.restore(screen_too=self._started.screen)
            raise
        self._end_others()
        return self._finish()

    # ---------------------------------------------------------------- children

    def _start_collector(self, stream: socket.socket) -> None:
        """Fork a collector; `stream` connects it with the consumer."""
        if self._output < 0:
            self._output = os.memfd_create("collector-output", os.MFD_CLOEXEC)
        self._collector, control = spawn(
            "collector",
            partial(self.plan.collector, info.catalog(self.plan.folders.catalog)),
            stream,
            self._started.invoker,
            self._started.path,
            orphaned=signal.SIGKILL,
            largest=_LARGEST,
            output=self._output,
        )
        self._link = Link(self._selector, control, self._on_collector, self._close_link)
        self._survey()

    def _survey(self) -> None:
        """Try the whole catalog; the result replaces that of the previous survey."""
        if self.plan.survey:
            probes = list(self.plan.folders.catalog.probes.values())
            self._start_task("survey", SURVEY_RUN, partial(survey.run, probes=probes))

    def _watch_folders(self) -> None:
        if (reports := self.plan.folders.reports) is not None:
            self._selector.register(reports, selectors.EVENT_READ, self._on_folders)

    def _on_folders(self) -> None:
        if self.plan.folders.receive():
            self._reread()

    def _reread(self) -> None:
        """A probe's file was saved, or the folders can no longer be read."""
        self._early.forget_changed(self._orders.expected)
        self._send(protocol.Reread(catalog=info.catalog(self.plan.folders.catalog)))
        self._survey()

    def _start_task(
        self,
        name: str,
        run: int,
        work: Work,
        *,
        first: bool = True,
        probe: str = "",
        seconds: float | None = None,
    ) -> None:
        """Queue a task; those that serve all runs go before loads. The collector gets the channel.

        probe: what is loaded, to be named if it can't be. seconds: how long it may take, if not as long as a load.
        """
        try:
            channel = self.tasks.start(name, run, work, first=first, seconds=seconds)
        except NotStarted as why:
            self._send(protocol.Refusal(run=run, error=f"{probe}: {why}" if probe else str(why)))
            return
        self._send(protocol.Channel(run=run), [channel.fileno()])
        channel.close()

    def _send(self, message: protocol.Message, descriptors: Sequence[int] = ()) -> None:
        """Send to the collector. A collector that no longer takes anything is ended."""
        if self._link is not None:
            self._link.send(message, descriptors)
            if self._link.is_full and self._collector:
                privilege.kill(self._collector, signal.SIGKILL)

    # ---------------------------------------------------------------- requests from children

    def _on_collector(self, message: protocol.AnyMessage) -> None:
        match message:
            case protocol.RequestLoad():
                self._load(message)
            case protocol.RequestRunTimes(run=run):
                self._account(run)
            case protocol.RequestPrograms(run=run):
                self._start_task("programs", run, programs.run)
            case protocol.RequestProcess(run=run):
                self._start_task("process", run, partial(processes.run, request=message), seconds=processes.SECONDS)
            case protocol.RequestThreads(run=run):
                self._start_task("threads", run, threads.run, seconds=threads.SECONDS)
            case protocol.RequestContainers(run=run):
                work = partial(containers.run, request=message, give_up_root=self._give_up_root)
                self._start_task("containers", run, work, seconds=containers.SECONDS)
            case protocol.RequestCode(run=run):
                self._start_task("code", run, partial(code.run, request=message, give_up_root=self._give_up_root))
            case protocol.RequestMemoryEvents(run=run):
                self._start_task("memory events", run, memory_events.run)
            case protocol.RequestSymbols(run=run):
                self._start_task(
                    "symbols", run, partial(symbolize.run, request=message, give_up_root=self._give_up_root)
                )

    def _close_link(self) -> None:
        """A collector that has lost its link ends, and one that has ended needs none."""
        if self._link is not None:
            self._link.close()
        self._link = None

    def _account(self, run: int) -> None:
        """Done here and not in a task: it is requested every second, and is one system call that reads nothing."""
        try:
            descriptor = self._accounting.descriptor()
        except (OSError, KernelLacks) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._send(protocol.Refusal(run=run, error=f"program statistics are unavailable: {why}"))
            return
        self._send(protocol.RunTimesOn(), [descriptor])
        os.close(descriptor)

    def _load(self, request: protocol.RequestLoad) -> None:
        """Check the request on this side, and fork a loader for it unless that has begun."""
        if early := self._early.take(request):
            self._send(protocol.Channel(run=request.run), [early.channel.fileno()])
            early.channel.close()
            if early.ended is not None:
                self._send(msgspec.structs.replace(early.ended, run=request.run))
            return
        try:
            order = self._orders.of(request.probe, request.params)
        except LookupError:
            self._send(protocol.Refusal(run=request.run, error=f"no probe {quoted(request.probe)} in the catalog"))
        except params.BadParam as bad:
            self._send(protocol.Refusal(run=request.run, error=str(bad)))
        else:
            internal = order.probe.category == protocol.INTERNAL
            self._start_task("loader", request.run, loader(order), first=internal, probe=request.probe)

    def _give_up_root(self) -> None:
        """In a task: become the invoker for everything that follows."""
        parent = os.getppid()
        privilege.drop(self._started.invoker)
        process.die_with(parent, signal.SIGKILL)

    def _on_consumer(self, link: Link, message: protocol.AnyMessage) -> None:
        if isinstance(message, protocol.Restart) and not self._collector:
            stream, theirs = socket.socketpair()
            link.send(protocol.Stream(), [stream.fileno()])
            stream.close()
            if link.is_idle:
                self._start_collector(theirs)
            else:  # descriptors from a collector could wait in the stream's queue when root closes it
                theirs.close()

    # ---------------------------------------------------------------- signals and the terminal

    def _watch_terminal(self) -> None:
        """Watch the terminal: a process outside its session gets no SIGHUP when it ends."""
        gone = hangup.Hangup(self.plan.tied_to)

        def end() -> None:
            self._selector.unregister(gone)
            self._forward(signal.SIGTERM)

        self._selector.register(gone, selectors.EVENT_READ, end)

    def _catch_signals(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._wakeup = theirs
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTSTP):  # Ctrl-Z stops us with the consumer, see `_suspend`
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGALRM, lambda *_: self._end_at_once())
        for number in hangup.ending_signals():
            signal.signal(number, self._begin_to_end if number != signal.SIGINT else self._interrupted_once)
        return ours

    def _on_signals(self, wakeup: socket.socket) -> None:
        for number in wakeup.recv(256):
            if number == signal.SIGCHLD:
                self._reap()
            elif number != signal.SIGTSTP:
                self._forward(number)

    def _begin_to_end(self, number: int, _: object = None) -> None:
        """A signal handler, which also runs while the loop is busy: it sets the deadline for the end."""
        self._ended_by = self._ended_by or number
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, _AT_LATEST)

    def _interrupted_once(self, *_: object) -> None:
        """The first SIGINT may have a summary written, which may take long; after the second there is a limit."""
        signal.signal(signal.SIGINT, self._begin_to_end)

    def _end_at_once(self) -> None:
        """The loop hangs, or a child does: the remaining processes end by their parent-death signal."""
        status = 128 + self._ended_by
        signal.signal(signal.SIGALRM, lambda *_: os._exit(status))  # the terminal may hang as well
        signal.setitimer(signal.ITIMER_REAL, _RESTORING)
        self.tasks.end_all()
        for child in (self._collector, self._consumer if self._status is None else 0):
            if child:
                privilege.kill(child, signal.SIGKILL)
        self._started.terminal.restore(screen_too=self._started.screen)
        self._tell(f"did not end within {_AT_LATEST:g} s, and was killed")
        os._exit(status)

    def _forward(self, number: int) -> None:
        """A signal meant for the command: the consumer ends in its own way, and is killed if it doesn't."""
        if self._status is None:
            privilege.kill(self._consumer, number)
            if number != signal.SIGINT or self._ended_by:
                self._ended_by = self._ended_by or number
                self._ending_since = self._ending_since or time.monotonic()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                if pid == self._consumer and os.WSTOPSIG(status) in _JOB_CONTROL:
                    self._suspend()
            elif pid == self._consumer:
                self._status, self._why = status, oom.killed().why(status)
            elif pid == self._collector:
                self._collector = 0
                self._close_link()
                if why := oom.killed().why(status):
                    os.write(self._output, f"ebpftop: the collector was killed {why}\n".encode())
            elif pid == self.plan.folders.pid:
                with contextlib.suppress(KeyError):  # it isn't watched yet
                    self._selector.unregister(self.plan.folders.reports or 0)
                if self.plan.folders.reaped(status):
                    self._reread()
            elif (ended := self.tasks.reap(pid, status)) and not self._early.ended(ended):
                self._send(ended)

    def _suspend(self) -> None:
        """The consumer was stopped by job control (Ctrl-Z): stop as well, so that the shell gets its turn, and go on
        together. A SIGSTOP is someone else's doing, who will continue the consumer alone.

        Probes go on, and the collector's budget with them, for which it needs run times.
        """
        with contextlib.suppress(OSError, KernelLacks):
            descriptor = run_times.accounting()
            self._send(protocol.RunTimesOn(kept=True), [descriptor])
            os.close(descriptor)
        os.kill(os.getpid(), signal.SIGSTOP)
        privilege.kill(self._consumer, signal.SIGCONT)
        time.sleep(2 * run_times.APART)  # else a consumer could have this done as often as it pleases

    # ---------------------------------------------------------------- the end

    def _timeout(self) -> float | None:
        ends = [end for end in (self.tasks.next_deadline(), self.plan.folders.next_start) if end is not None]
        if self._ending_since:
            ends.append(self._ending_since + _PATIENCE)
        return max(0.0, min(ends) - time.monotonic()) + 0.01 if ends else None

    def _end_others(self) -> None:
        """Close the collector's control, which ends it; make sure of it."""
        self.tasks.end_all()
        self.plan.folders.end()
        self._close_link()
        deadline = time.monotonic() + _COLLECTORS_PATIENCE
        while self._collector and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.005)
        if self._collector:
            privilege.kill(self._collector, signal.SIGKILL)
        if self._status is None and self._consumer:
            privilege.kill(self._consumer, signal.SIGKILL)
            os.waitpid(self._consumer, 0)

    def _finish(self) -> int:
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else 1
        self._started.terminal.restore(screen_too=self._started.screen and code < 0)
        with contextlib.suppress(OSError):  # there may be no terminal any more
            sys.stderr.write(inert_lines(os.pread(self._output, _OUTPUT, 0).decode("utf-8", "replace")))
        if self._is_overdue and -code == signal.SIGKILL:
            self._tell(f"did not end within {_PATIENCE:.0f} s, and was killed")
            code = -self._ended_by
        elif code < 0 and -code not in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self._tell(f"was killed {self._why or f'by {signal.Signals(-code).name}'}")
        signal.setitimer(signal.ITIMER_REAL, 0)  # Python takes back the handlers before it ends
        return code if code >= 0 else 128 - code

    def _tell(self, what: str) -> None:
        with contextlib.suppress(OSError):  # there may be no terminal any more
            print(f"ebpftop: the {'dashboard' if self._started.screen else 'run'} {what}", file=sys.stderr, flush=True)


def only_roots_modules() -> None:
    """From here on this process and the root tasks import nothing from a folder that someone else could write to."""
    sys.path[:] = [entry for entry in sys.path if entry and only_root_writes(Path(entry))]
