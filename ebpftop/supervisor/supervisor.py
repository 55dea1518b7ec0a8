"""The supervisor: root, no BPF descriptors, few imports. It outlives every other process of ours and cleans up after
each.

             ┌ control ┐            ┌ stream: frames, requests ┐
supervisor ──┤         ├── collector ┤                        ├── consumer (dashboard, headless run)
    │        └─────────┘            └────────────────────────┘        │
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
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import msgspec

from ebpftop.base import hangup
from ebpftop.catalog import info, params
from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Catalog, Load
from ebpftop.handover import protocol, transport
from ebpftop.kernel.ownership import only_root_writes
from ebpftop.loader import load, run_times, survey, symbolize
from ebpftop.supervisor import privilege, process
from ebpftop.supervisor.children import Started, spawn
from ebpftop.supervisor.lookups import lookups
from ebpftop.supervisor.tasks import Tasks, TooMany, Work

Collector = Callable[[Catalog, socket.socket, socket.socket], int]
"""Runs in the collector's process: (catalog, control, stream) → exit status. Whatever it imports, it imports there."""

_JOB_CONTROL = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_PATIENCE = 2.0  # seconds that the consumer gets to end by itself
_COLLECTORS_PATIENCE = 0.4  # and the collector
_AT_LATEST = 2.8  # seconds after a signal, by which everything has ended, whatever this process is doing
_MOST_UNSENT = 4096  # datagrams that may wait for the collector
_OUTPUT = 1 << 16  # bytes of collectors' output that are passed on
SURVEY_RUN = 0  # the run number under which the collector knows the survey
EARLY_RUN = 1 << 30  # and from here on, the numbers of loads it has not requested yet


class _Early(msgspec.Struct, kw_only=True):
    """A load that began before its request arrived. number: the run it counts as until then."""

    number: int
    load: Load
    channel: socket.socket
    ended: protocol.TaskEnded | None = None


class Plan(msgspec.Struct, kw_only=True):
    """What a command needs from the supervisor.

    internal: probes that aren't part of the catalog, by id. expected: the requests that the consumer will send at once,
    by their numbers, and the collector's own, whose number is 0; they load while both still start.
    tied_to: terminals and pipes; when one of them has no other side any more, the command ends.
    """

    current: CurrentCatalog
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
        self._lookups = lookups(started.invoker)
        self._early: list[_Early] = []
        self._selector = selectors.DefaultSelector()
        self._collector = 0
        self._output = -1  # a memfd with what collectors wrote to stderr: a dashboard has the terminal to itself
        self._from_collector: transport.Receiver | None = None
        self._to_collector: transport.Sender | None = None
        self._consumer = started.consumer.pid
        self._status: int | None = None
        self._ending_since = 0.0

    def run(self) -> int:
        """Start the others and stay until the consumer has ended."""
        wakeup = self._catch_signals()
        only_roots_modules()
        self._load_early()
        self._start_collector(self._started.stream)
        from_consumer = self._started.consumer.control
        self._selector.register(from_consumer.socket, selectors.EVENT_READ, lambda: self._on_consumer(from_consumer))
        self._reap()  # what ended before signals were caught
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._on_signals(wakeup))
        self._watch_terminal()
        try:
            while self._status is None:
                for key, _ in self._selector.select(self._timeout()):
                    key.data()
                self.tasks.end_overdue()
                if self.plan.current.look():
                    self._reread()
                if self._status is None and self._ending_since and time.monotonic() > self._ending_since + _PATIENCE:
                    os.kill(self._consumer, signal.SIGKILL)
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
        self._collector, receiver = spawn(
            "collector",
            partial(self.plan.collector, info.catalog(self.plan.current.catalog)),
            stream,
            self._started.invoker,
            self._started.path,
            orphaned=signal.SIGKILL,
            output=self._output,
        )
        self._from_collector, self._to_collector = receiver, transport.Sender(receiver.socket)
        self._selector.register(receiver.socket, selectors.EVENT_READ, lambda: self._on_collector(receiver))
        self._survey()

    def _survey(self) -> None:
        """Try the whole catalog; the result replaces that of the previous survey."""
        if self.plan.survey:
            probes = list(self.plan.current.catalog.probes.values())
            self._start_task("survey", SURVEY_RUN, partial(survey.run, probes=probes))

    def _reread(self) -> None:
        """A probe's file was saved. An early load without a request may be of the previous version."""
        for early in self._early:
            early.channel.close()
        self._early.clear()
        self._send(protocol.Reread(catalog=info.catalog(self.plan.current.catalog)))
        self._survey()

    def _start_task(self, name: str, run: int, work: Work, *, first: bool = True) -> None:
        """Loads wait for their turn; what serves all of them goes first. The collector gets the channel."""
        try:
            channel = self.tasks.start(name, run, work, first=first)
        except TooMany as full:
            self._send(protocol.Refusal(run=run, error=str(full)))
            return
        self._send(protocol.Channel(run=run), [channel.fileno()])
        channel.close()

    def _send(self, message: protocol.Message, descriptors: list[int] | None = None) -> None:
        """Never blocks: what the collector doesn't take now waits. One that takes nothing any more is ended."""
        if self._to_collector is None:
            return
        with contextlib.suppress(OSError):  # it is gone; its end is on its way to us
            self._to_collector.send(message, descriptors or [])
        if len(self._to_collector) > _MOST_UNSENT and self._collector:
            os.kill(self._collector, signal.SIGKILL)
        self._await_collector()

    def _await_collector(self) -> None:
        if self._from_collector is not None and self._to_collector is not None:
            key = self._selector.get_key(self._from_collector.socket)
            events = selectors.EVENT_READ | selectors.EVENT_WRITE * bool(len(self._to_collector))
            if key.events != events:
                self._selector.modify(key.fileobj, events, key.data)

    # ---------------------------------------------------------------- requests from children

    def _on_collector(self, receiver: transport.Receiver) -> None:
        if receiver is self._from_collector and self._to_collector is not None:
            with contextlib.suppress(OSError):
                self._to_collector.flush()
            self._await_collector()
        try:
            received = receiver.receive()
        except BlockingIOError:
            return  # not a whole message yet
        except (transport.TransportError, OSError):
            received = None
        if received is None:
            self._selector.unregister(receiver.socket)
            receiver.close()  # a collector that sends what is no message ends by that
            if self._from_collector is receiver:
                self._close_collector()
            return
        message, descriptors = received
        transport.close_all(descriptors)
        match message:
            case protocol.RequestLoad():
                self._load(message)
            case protocol.RequestRunTimes(run=run):
                self._start_task("accounting", run, run_times.run)
            case protocol.RequestSymbols(run=run):
                self._start_task(
                    "symbols", run, partial(symbolize.run, request=message, give_up_root=self._give_up_root)
                )

    def _close_collector(self) -> None:
        if self._to_collector is not None:
            self._to_collector.close()
        self._from_collector = self._to_collector = None

    def _load_early(self) -> None:
        """Fork loaders for what is expected; each reports to a channel that waits for the request."""
        for number, expected in enumerate(self.plan.expected, EARLY_RUN):
            try:
                order = self._order(expected.probe, expected.params)
                channel = self.tasks.start("loader", number, partial(_run_loader, order))
            except (LookupError, params.BadParam, TooMany):
                continue  # reported when the request arrives
            self._early.append(_Early(number=number, load=expected, channel=channel))

    def _load(self, request: protocol.RequestLoad) -> None:
        """Check the request on this side, and fork a loader for it unless that has begun."""
        early = next((early for early in self._early if early.load.request == request.request), None)
        if early is not None:
            self._early.remove(early)
            if (early.load.probe, early.load.params) == (request.probe, request.params):
                self._take_up(early, request.run)
                return
            early.channel.close()  # the consumer wants something else after all
        try:
            order = self._order(request.probe, request.params)
        except LookupError:
            self._send(protocol.Refusal(run=request.run, error=f"no probe {request.probe!a} in the catalog"))
        except params.BadParam as bad:
            self._send(protocol.Refusal(run=request.run, error=str(bad)))
        else:
            internal = order.probe.category == protocol.INTERNAL
            self._start_task("loader", request.run, partial(_run_loader, order), first=internal)

    def _take_up(self, early: _Early, run: int) -> None:
        self.tasks.renumber(early.number, run)
        self._send(protocol.Channel(run=run), [early.channel.fileno()])
        early.channel.close()
        if early.ended is not None:
            self._send(msgspec.structs.replace(early.ended, run=run))

    def _order(self, name: str, given: dict[str, str]) -> load.Order:
        """What to load, checked on this side. Raises `LookupError`, `BadParam`."""
        probe = self.plan.internal.get(name) or self.plan.current.catalog.probes[name]
        chosen = params.canonical(probe, given)
        return load.Order(
            probe=msgspec.structs.replace(probe, variants=tuple(params.usable(probe, chosen))),
            params=chosen,
            definitions=params.definitions(probe, given, self._lookups),
            includes=self.plan.includes,
            bcc=self.plan.bcc,
            rights=partial(privilege.rights_of, self._started.invoker),
            confine=partial(privilege.confine, self._started.invoker),
        )

    def _give_up_root(self) -> None:
        """In a task: what follows is done as the invoker."""
        parent = os.getppid()
        privilege.drop(self._started.invoker)
        process.die_with(parent, signal.SIGKILL)

    def _on_consumer(self, receiver: transport.Receiver) -> None:
        try:
            received = receiver.receive()
        except BlockingIOError:
            return  # not a whole message yet
        except (transport.TransportError, OSError):
            received = None
        if received is None:
            self._selector.unregister(receiver.socket)
            receiver.close()
            return
        message, descriptors = received
        transport.close_all(descriptors)
        if isinstance(message, protocol.Restart) and not self._collector:
            stream, theirs = socket.socketpair()
            self._start_collector(theirs)
            with contextlib.suppress(OSError):
                transport.send(receiver.socket, protocol.Stream(), [stream.fileno()])
            stream.close()

    # ---------------------------------------------------------------- signals and the terminal

    def _watch_terminal(self) -> None:
        """A terminal can end without SIGHUP: for whoever is not in its session."""
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
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGALRM, lambda *_: self._end_at_once())
        for number in hangup.ending_signals():
            signal.signal(number, _begin_to_end if number != signal.SIGINT else lambda *_: None)
        return ours

    def _on_signals(self, wakeup: socket.socket) -> None:
        for number in wakeup.recv(256):
            if number == signal.SIGCHLD:
                self._reap()
            else:
                self._forward(number)

    def _end_at_once(self) -> None:
        """The loop didn't end in time: it hangs, or a child does. What is left ends by its parent-death signal."""
        self.tasks.end_all()
        for child in (self._collector, self._consumer if self._status is None else 0):
            if child:
                os.kill(child, signal.SIGKILL)
        self._started.terminal.restore(screen_too=self._started.screen)
        os._exit(128 + signal.SIGTERM)

    def _forward(self, number: int) -> None:
        """A signal meant for the command: the consumer ends in its own way, and is ended if it does not."""
        if self._status is None:
            os.kill(self._consumer, number)
            if number != signal.SIGINT:
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
                self._status = status
            elif pid == self._collector:
                self._collector = 0
            elif ended := self.tasks.reap(pid, status):
                early = next((early for early in self._early if early.number == ended.run), None)
                if early is not None:
                    early.ended = ended
                else:
                    self._send(ended)

    def _suspend(self) -> None:
        """The consumer was stopped by job control (Ctrl-Z): stop as well, so that the shell gets its turn, and go on
        together. A SIGSTOP is someone else's doing, who will continue the consumer alone.
        """
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(self._consumer, signal.SIGCONT)

    # ---------------------------------------------------------------- the end

    def _timeout(self) -> float | None:
        ends = [end for end in (self.tasks.next_deadline(), self.plan.current.next_look) if end is not None]
        if self._ending_since:
            ends.append(self._ending_since + _PATIENCE)
        return max(0.0, min(ends) - time.monotonic()) + 0.01 if ends else None

    def _end_others(self) -> None:
        """Close the collector's control, which ends it; make sure of it."""
        self.tasks.end_all()
        if self._from_collector is not None:
            self._from_collector.close()
            self._close_collector()
        deadline = time.monotonic() + _COLLECTORS_PATIENCE
        while self._collector and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.005)
        if self._collector:
            os.kill(self._collector, signal.SIGKILL)
        if self._status is None and self._consumer:
            os.kill(self._consumer, signal.SIGKILL)
            os.waitpid(self._consumer, 0)

    def _finish(self) -> int:
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else 1
        self._started.terminal.restore(screen_too=self._started.screen and code < 0)
        with contextlib.suppress(OSError):  # there may be no terminal any more
            sys.stderr.write(os.pread(self._output, _OUTPUT, 0).decode("utf-8", "replace"))
        if code >= 0:
            return code
        name = signal.Signals(-code).name
        if -code not in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with contextlib.suppress(OSError):  # there may be no terminal any more
                print(
                    f"ebpftop: the {'dashboard' if self._started.screen else 'run'} was ended by {name}",
                    file=sys.stderr,
                )
        return 128 - code


def _begin_to_end(*_: object) -> None:
    """A signal handler, which runs also while the loop is busy: from now on there is a limit."""
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, _AT_LATEST)


def _run_loader(order: load.Order, channel: socket.socket) -> None:
    load.Load(order, channel).run()


def only_roots_modules() -> None:
    """From here on this process and the root tasks import nothing from a folder that someone else could write to."""
    sys.path[:] = [entry for entry in sys.path if entry and only_root_writes(Path(entry))]
