"""The collector's loop: requests in, frames out, a timer for every run."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from ebpftop.catalog import params
from ebpftop.collector import budget as budgets
from ebpftop.collector import codes, containers, groups, naming, noting, programs, threads
from ebpftop.collector import facts as processes
from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.census import Census
from ebpftop.collector.census_probe import CENSUS_RUN, CensusProbe
from ebpftop.collector.channels import Channels
from ebpftop.collector.decode import Context
from ebpftop.collector.departed import Departed
from ebpftop.collector.functions import Functions
from ebpftop.collector.loads import Loads
from ebpftop.collector.machine import host, pong, reread, surveyed
from ebpftop.collector.noting import Noting
from ebpftop.collector.outbox import Outbox
from ebpftop.collector.pressure import Pressures
from ebpftop.collector.runs import Runs
from ebpftop.collector.subjects import subjects
from ebpftop.collector.together import first
from ebpftop.frames import messages
from ebpftop.frames.codec import BadFrame, request_decoder
from ebpftop.handover import protocol, transport
from ebpftop.handover.mailbox import Control, Mailbox
from ebpftop.kernel import mounts

ACCOUNTING_RUN = -2  # the number of a task that isn't a consumer's run
HOST_SECONDS = 1.0  # the same for the machine's load, and for all ring buffers


class Server:
    """Serves one consumer until it or the supervisor is gone. `unsent`: bytes to send first, the rest of a greeting
    with the catalog. `idle`: the user is still choosing what to request.
    """

    def __init__(
        self,
        control: Control,
        stream: socket.socket,
        catalog: messages.Catalog,
        unsent: memoryview,
        *,
        idle: bool,
        budget: float = budgets.PERCENT,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._control, self._to_supervisor = transport.Receiver(control.socket), control.mailbox
        control.socket.setblocking(False)
        self._outbox = Outbox(stream, self._skipped, unsent)
        self._requests = request_decoder()
        self._catalog, self._probes = catalog, {probe.id: probe for probe in catalog.probes}
        self._context = Context()
        self._containers = containers.Containers(self._request)
        self._census = Census(self._context.cgroups.path, os.getppid(), self._containers.named)
        departed = Departed(self._census)
        self._functions = Functions(self._census, departed)
        self._noting = Noting(departed, self._request, self._warn)
        self._census_probe = CensusProbe(self._census, self._context, self._request, self._warn)
        self._idle = idle
        self._granting: deque[messages.AnyRequest] = deque()
        self._channels = Channels(self._selector, self._on_report, self._broken)
        self._runs = Runs(
            self._put,
            self._request,
            self._census,
            self._census_probe,
            self._functions,
            self._noting,
            lambda: self._request(protocol.RequestRunTimes(run=ACCOUNTING_RUN)),
            budgets.Budget(budget),
            hold=not idle,
        )
        self._groups = groups.Groups(self._context.cgroups, self._containers, self._runs.attached)
        self._loads = Loads(self._put, self._request, self._groups)
        self._codes = codes.Codes(self._request, self._runs.drain_soon, self._warn)
        self._want_statistics = True
        self._programs = programs.Readings(self._request, self._put, lambda: self._runs.run_times.since)
        self._facts = processes.Facts(self._request, self._put, self._census.user)
        self._threads = threads.Readings(self._request, self._put, self._runs.open_waits)
        self._pressures = Pressures(self._census.knows_cgroup, mounts.cgroups())
        self._tasks: dict[int, Callable[[str], object]] = {  # what a task that failed is told to, by its number
            ACCOUNTING_RUN: self._not_accounted,
            CENSUS_RUN: self._census_probe.failed,
            naming.RUN: lambda _: self._runs.naming.answered(None),
            noting.RUN: self._noting.failed,
            programs.RUN: self._programs.failed,
            processes.RUN: self._facts.failed,
            threads.RUN: self._threads.failed,
            containers.RUN: lambda _: self._containers.answered([]),
            codes.RUN: lambda _: self._codes.answered(None, []),
        }
        self._host_at = 0.0
        self._loadless = False  # the user has been told that the machine's load is unknown
        self._running = True

    def run(self) -> int:
        """Serve; returns the exit status."""
        control, stream = self._control.socket, self._outbox.socket
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        self._selector.register(stream, selectors.EVENT_READ, self._on_requests)
        self._selector.register(self._runs.detaching.woken, selectors.EVENT_READ, self._on_detaching)
        self._selector.register(self._runs.filling, selectors.EVENT_READ, self._runs.on_filling)
        if self._idle:
            self._census_probe.wanted()
        while self._running:
            self._flush()
            for key, events in self._selector.select(self._timeout()):
                if events & selectors.EVENT_READ:
                    key.data()
            self._grant_more()
            self._tick(time.monotonic())
        return 0

    # ---------------------------------------------------------------- frames out

    def _put(self, frame: messages.AnyFrame) -> None:
        self._outbox.put(frame)

    def _warn(self, text: str) -> None:
        self._put(messages.Notice(level="warning", text=text))

    def _flush(self) -> None:
        try:
            written = self._outbox.flush()
        except OSError:
            self._running = False
            return
        self._await(self._outbox.socket, self._on_requests, writing=not written, reading=not self._granting)
        self._await(self._to_supervisor, lambda: None, writing=not self._to_supervisor.is_idle, reading=False)

    def _await(
        self, sock: socket.socket | Mailbox, read: Callable[[], None], *, writing: bool, reading: bool = True
    ) -> None:
        """Wait until it can be read or written, as far as that is wanted now."""
        events = selectors.EVENT_READ * reading | selectors.EVENT_WRITE * writing
        key = self._selector.get_map().get(sock)
        if key is not None and (not events or key.events != events):
            self._selector.unregister(sock)
            key = None
        if key is None and events:
            self._selector.register(sock, events, read)

    def _skipped(self, run: int, events: int) -> None:
        self._runs.skipped(run, events)

    def _put_catalog(self, probes: dict[str, messages.ProbeInfo]) -> None:
        self._probes = probes
        self._put(replace(self._catalog, probes=list(probes.values())))

    # ---------------------------------------------------------------- requests in

    def _on_requests(self) -> None:
        try:
            data = self._outbox.socket.recv(1 << 16)
            requests = list(self._requests.feed(data))
        except BlockingIOError:
            return
        except (OSError, BadFrame):
            data = b""
        if not data:
            self._running = False
            return
        self._granting.extend(requests)

    def _grant_more(self) -> None:
        """Requests wait while the supervisor has not taken what it was sent, and then the consumer waits, too."""
        try:
            self._to_supervisor.flush()
        except OSError:
            self._running = False
        while self._granting and self._to_supervisor.is_idle:
            self._grant(self._granting.popleft())

    def _grant(self, request: messages.AnyRequest) -> None:
        match request:
            case messages.Load():
                self._load(request)
            case messages.Detach(run=number):
                self._runs.detach(number)
            case messages.Interval(run=number, seconds=seconds):
                self._runs.set_interval(number, seconds)
            case messages.AccountRunTimes(on=on):
                self._want_statistics = on
                self._switch_statistics()
            case messages.Watch(runs=numbers, cgroup=cgroup):
                self._runs.look_at(numbers)
                self._pressures.watch(cgroup)
            case messages.Describe(processes=numbers):
                self._census.refresh(numbers)
            case messages.ReadPrograms():
                self._programs.wanted(time.monotonic())
                self._switch_statistics()
            case messages.ReadProcess():
                self._facts.wanted(request)
            case messages.ReadThreads():
                self._threads.wanted()
            case messages.Ping(number=number):
                self._put(pong(number))

    def _load(self, request: messages.Load) -> None:
        probe = self._probes.get(request.probe)
        if probe is None:
            self._loads.refuse(request, f"no probe {request.probe!a} in the catalog")
            return
        if params.by_name(probe, request.params) or any(
            column.decode == "process" for view in probe.views for column in view.columns
        ):
            self._census_probe.wanted()
        if any(view.show == "stacks" for view in probe.views):
            self._noting.switch(True)
        self._loads.begin(request, probe)
        self._switch_statistics()

    def _request(self, message: protocol.Message) -> None:
        try:
            self._to_supervisor.send(message)
        except OSError:
            self._running = False

    def _switch_statistics(self) -> None:
        watched = self._programs.watched(time.monotonic())
        used = self._runs.attached or self._loads or watched
        self._runs.run_times.switch(self._want_statistics and bool(used), always=watched)

    def _not_accounted(self, error: str) -> None:
        self._runs.run_times.refused()
        self._warn(error)

    # ---------------------------------------------------------------- reports of root tasks and the supervisor

    def _on_control(self) -> None:
        while self._running:
            try:
                received = self._control.receive()
            except BlockingIOError:
                return
            except (transport.TransportError, OSError):
                received = None
            if received is None:
                self._running = False
                return
            message, descriptors = received
            match message:
                case protocol.Channel(run=number) if len(descriptors) == 1:
                    self._accepted(number, descriptors[0])
                case protocol.Refusal(run=number, error=error):
                    self._refused(number, error)
                case protocol.RunTimesOn(kept=kept) if len(descriptors) == 1:
                    self._runs.run_times.opened(descriptors[0], kept=kept)
                    self._switch_statistics()
                case protocol.Reread(catalog=catalog):
                    self._catalog = catalog
                    self._put_catalog(reread(self._probes, catalog))
                case protocol.TaskEnded():
                    self._channels.read(message.run)
                    self._failed(message.run, self._loads.ended(message))
                case _:
                    transport.close_all(descriptors)

    def _accepted(self, number: int, channel: int) -> None:
        """The request was granted; its load is queued, or has begun."""
        self._loads.reached(number, "queued", [])
        self._channels.open(number, channel)

    def _refused(self, number: int, error: str) -> None:
        if number in self._tasks:
            self._tasks[number](error)
        elif self._loads.refused(number, error):
            self._switch_statistics()

    def _broken(self, number: int, error: str) -> None:
        self._failed(number, messages.Failed(stage="load", error=error))

    def _on_report(self, number: int, message: protocol.AnyMessage, descriptors: list[int]) -> None:
        match message:
            case protocol.Progress(stage=stage, stages=stages):
                self._loads.reached(number, stage, stages)
            case protocol.Handover():
                self._attached(number, message, descriptors)
            case protocol.LoadFailed(outcome=outcome):
                self._failed(number, outcome)
            case protocol.Refusal(error=error):
                self._refused(number, error)
            case protocol.Surveyed(found=found):
                self._put_catalog(surveyed(self._probes, found))
            case protocol.ProgramsRead(programs=read):
                self._programs.answered(read)
            case protocol.ProcessRead():
                self._facts.answered(message)
            case protocol.ThreadsRead(threads=read_threads):
                self._threads.answered(read_threads)
            case protocol.ContainersRead(containers=found):
                self._census.renamed(self._containers.answered(found))
                self._groups.renamed()
            case protocol.CodeRead():
                self._codes.answered(message, descriptors)
            case protocol.Symbols():
                self._runs.naming.answered(message)
            case protocol.MemoryEventsOpened():
                self._noting.opened(descriptors)
                self._runs.watch(self._noting.rings)
            case protocol.TaskFailed(error=error):
                self._warn(error)
            case _:
                transport.close_all(descriptors)

    def _attached(self, number: int, message: protocol.Handover, descriptors: list[int]) -> None:
        if number == CENSUS_RUN:
            self._census_probe.attached(message, descriptors)
            self._runs.watch(self._census_probe.rings)
            return
        pending = self._loads.attached(number)
        probe = pending.probe.id
        run = AttachedProbe(
            number, probe, message, descriptors, self._census, self._context, self._functions, self._codes
        )
        run.given = pending.request.params
        run.rate_limit = budgets.Limit.of(pending.probe.params, run.given)
        run.subjects = [*subjects(pending.probe, pending.given, self._census)]
        try:
            self._groups.limit(run, pending.found)
        except OSError as error:
            self._runs.detaching.begin(number, run.attachments)
            run.close()
            self._loads.refuse(pending.request, f"{probe}: {error.strerror}")
            return
        self._runs.begin(run, pending.request.interval)
        self._runs.run_times.closely()
        self._switch_statistics()
        self._runs.watch(run.buffers)
        self._loads.loaded(number, pending, message.outcome)
        self._runs.show(run)

    def _failed(self, number: int, outcome: messages.Failed) -> None:
        if number in self._tasks:
            self._tasks[number](outcome.error)
        elif self._loads.failed(number, outcome):
            self._switch_statistics()

    # ---------------------------------------------------------------- time

    def _on_detaching(self) -> None:
        self._runs.on_detaching()
        self._switch_statistics()

    def _timeout(self) -> float | None:
        return max(0.0, min([self._host_at, *self._runs.ends(), self._runs.run_times.due]) - time.monotonic())

    def _tick(self, now: float) -> None:
        with_host = now >= self._host_at
        self._runs.run_times.tick()
        self._runs.tick(now, whole=with_host)
        self._containers.tick(now)
        self._loads.tick()
        self._codes.tick(now)
        if with_host:
            changed = (subject.look() for run in self._runs.attached.values() for subject in run.subjects)
            for line in dict.fromkeys(filter(None, changed)):
                self._warn(line)
            self._host_at = first(now, HOST_SECONDS, self._runs.due())
            self._census_probe.repair(now)
            self._host()
            self._runs.hold_budget(now, self._probes)
            self._switch_statistics()

    def _host(self) -> None:
        runs = (*self._runs.attached.values(), *self._runs.over.values())
        if not (self._loads or any(run.has_stacks for run in runs)):
            self._noting.switch(False)
        self._functions.forget()
        self._runs.forget()
        if (load := host(self._pressures)) is not None:
            self._put(load)
            return
        self._put(pong(0))  # a sign of life in its place
        if not self._loadless:
            self._loadless = True
            self._warn("the machine's load is unknown: /proc/stat, /proc/meminfo or /proc/loadavg can't be read")
