"""The collector's loop: requests in, frames out, a timer for every run."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy.typing as npt
from msgspec.structs import asdict as facts
from msgspec.structs import replace

from ebpftop.catalog import params
from ebpftop.collector import budget as budgets
from ebpftop.collector import codes, containers, groups, naming, noting, programs, threads
from ebpftop.collector import facts as processes
from ebpftop.collector.attached import AttachedProbe, EventRing
from ebpftop.collector.census import Census
from ebpftop.collector.census_probe import CENSUS_RUN, CensusProbe
from ebpftop.collector.channels import Channels
from ebpftop.collector.closing import Detaching
from ebpftop.collector.copies import Copies
from ebpftop.collector.counting import CountingRuns
from ebpftop.collector.decode import Context
from ebpftop.collector.departed import Departed
from ebpftop.collector.filling import Filling
from ebpftop.collector.functions import Functions
from ebpftop.collector.limit import Found
from ebpftop.collector.machine import host, reread, surveyed
from ebpftop.collector.noting import Noting
from ebpftop.collector.outbox import Outbox
from ebpftop.collector.pressure import Pressures
from ebpftop.collector.ring import RingBroken
from ebpftop.collector.run_times import RunTimes
from ebpftop.collector.selector import UnknownPlace
from ebpftop.collector.together import first, following
from ebpftop.frames import messages
from ebpftop.frames.codec import BadFrame, request_decoder
from ebpftop.handover import protocol, transport
from ebpftop.kernel import mounts
from ebpftop.kernel.memory_events import MemoryEvents

ACCOUNTING_RUN = -2  # the number of a task that isn't a consumer's run
DRAIN_SECONDS = 0.25  # from one look at watched ring buffers to the next, while none fills
_ONE_TICK = 0.1  # seconds: what was looked at that recently is recent enough for the budget
HOST_SECONDS = 1.0  # the same for the machine's load, and for all ring buffers
FINISHING = 3.0  # seconds that samples may wait for code when their run is detached
SHORTEST, LONGEST = 0.05, 3600.0  # seconds between snapshots


@dataclass(slots=True)
class _Pending:
    """A load that was requested and has no outcome yet; `text` is the author's C."""

    request: messages.Load
    text: str
    stage: messages.Stage = "queued"
    found: Found | None = None  # what it is limited to
    notes: list[str] = field(default_factory=list)

    def identity(self, run: int) -> dict[str, Any]:
        """The fields that every answer begins with."""
        return {
            "request": self.request.request,
            "run": run,
            "probe": self.request.probe,
            "params": self.request.params,
        }


class Server:
    """Serves one consumer until it or the supervisor is gone. `unsent`: what it gets first, the rest of a greeting with
    the catalog. `idle`: the user is still choosing what to request.
    """

    def __init__(
        self,
        control: socket.socket,
        stream: socket.socket,
        catalog: messages.Catalog,
        unsent: memoryview,
        *,
        idle: bool,
        budget: float = budgets.PERCENT,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._control, self._to_supervisor = transport.Receiver(control), transport.Sender(control)
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
        self._pending: dict[int, _Pending] = {}
        self._channels = Channels(self._selector, self._on_report, self._broken)
        self._runs: dict[int, AttachedProbe] = {}
        self._groups = groups.Groups(self._context.cgroups, self._containers, self._runs)
        self._unfound: deque[int] = deque()  # pending loads that name what is still looked for
        self._over: dict[int, AttachedProbe] = {}  # runs that are detached, and wait for names
        counts = CountingRuns(self._runs, self._over, self._look)
        self._codes = codes.Codes(self._request, self._read_copies)
        self._naming = naming.Naming(self._functions, self._request, self._put, counts, hold=not idle)
        self._numbers = iter(range(1, 1 << 30))
        self._run_times = RunTimes(lambda: self._request(protocol.RequestRunTimes(run=ACCOUNTING_RUN)))
        self._want_statistics = True
        self._programs = programs.Readings(self._request, self._put, lambda: self._run_times.since)
        self._facts = processes.Facts(self._request, self._put, self._census.user)
        self._threads = threads.Readings(self._request, self._put, self._open_waits)
        self._pressures = Pressures(self._census.knows_cgroup, mounts.cgroups())
        self._drain_at = self._host_at = 0.0
        self._fills = False  # whether a ring buffer does
        self._watched: frozenset[int] | None = None  # the runs whose events are looked at; None: all
        self._filling = Filling()
        self._detaching = Detaching()
        self._budget = budgets.Budget(budget)
        self._finishing: dict[int, float] = {}  # runs whose attachments are closed: until when they wait
        self._reasons: dict[int, str] = {}  # why runs are being detached, if nobody requested it
        self._running = True

    def run(self) -> int:
        """Serve; returns the exit status."""
        control, stream = self._control.socket, self._outbox.socket
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        self._selector.register(stream, selectors.EVENT_READ, self._on_requests)
        self._selector.register(self._detaching.woken, selectors.EVENT_READ, self._on_detaching)
        self._selector.register(self._filling, selectors.EVENT_READ, self._on_filling)
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
        self._await(self._control.socket, self._on_control, writing=bool(len(self._to_supervisor)))

    def _await(self, sock: socket.socket, read: Callable[[], None], *, writing: bool, reading: bool = True) -> None:
        """Wake up when the socket can be read or written, as far as that is wanted now."""
        events = selectors.EVENT_READ * reading | selectors.EVENT_WRITE * writing
        key = self._selector.get_map().get(sock)
        if key is not None and (not events or key.events != events):
            self._selector.unregister(sock)
            key = None
        if key is None and events:
            self._selector.register(sock, events, read)

    def _skipped(self, run: int, events: int) -> None:
        if run in self._runs:
            self._runs[run].skip(events)

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
        """Requests wait while the supervisor has not taken what it was sent, and then so does the consumer."""
        try:
            self._to_supervisor.flush()
        except OSError:
            self._running = False
        while self._granting and not len(self._to_supervisor):
            self._grant(self._granting.popleft())

    def _grant(self, request: messages.AnyRequest) -> None:
        match request:
            case messages.Load():
                self._load(request)
            case messages.Detach(run=number):
                self._detach(number)
            case messages.Interval(run=number, seconds=seconds):
                if number in self._runs:
                    self._begin_interval(self._runs.pop(number), seconds)
            case messages.AccountRunTimes(on=on):
                self._want_statistics = on
                self._switch_statistics()
            case messages.Watch(runs=numbers, cgroup=cgroup):
                self._watched = frozenset(numbers)
                self._pressures.watch(cgroup)
                self._drain_at = 0.0
            case messages.Describe(processes=numbers):
                self._census.refresh(numbers)
            case messages.ReadPrograms():
                self._programs.wanted(time.monotonic())
                self._switch_statistics()
            case messages.ReadProcess():
                self._facts.wanted(request)
            case messages.ReadThreads():
                self._threads.wanted()

    def _load(self, request: messages.Load) -> None:
        number = next(self._numbers)
        if request.probe not in self._probes:
            self._refuse(request, f"no probe {request.probe!a} in the catalog")
            return
        probe = self._probes[request.probe]
        named = params.by_name(probe, request.params)
        if named or any(c.decode == "process" for view in probe.views for c in view.columns):
            self._census_probe.wanted()
        if any(view.show == "stacks" for view in probe.views):
            self._noting.switch(True)
        self._pending[number] = _Pending(request, probe.source)
        if named:
            self._groups.ask()
            self._unfound.append(number)
        else:
            self._request_load(number, request.params)

    def _request_load(self, number: int, given: dict[str, str]) -> None:
        request = self._pending[number].request
        self._request(protocol.RequestLoad(run=number, request=request.request, probe=request.probe, params=given))
        self._switch_statistics()

    def _find(self, number: int) -> None:
        """Find what a load names, and request it, or refuse it."""
        pending = self._pending[number]
        request = pending.request
        try:
            pending.found, given, pending.notes = self._groups.found(self._probes[request.probe], request.params)
        except (UnknownPlace, params.BadParam) as why:
            del self._pending[number]
            self._refuse(request, str(why))
        else:
            self._request_load(number, given)

    def _refuse(self, request: messages.Load, error: str) -> None:
        self._put(messages.Refused(request=request.request, error=error))

    def _request(self, message: protocol.Message) -> None:
        try:
            self._to_supervisor.send(message)
        except OSError:
            self._running = False

    def _switch_statistics(self) -> None:
        used = self._runs or self._pending or self._programs.watched(time.monotonic())
        self._run_times.switch(self._want_statistics and bool(used))

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
                case protocol.Reread(catalog=catalog):
                    self._catalog = catalog
                    self._put_catalog(reread(self._probes, catalog))
                case protocol.TaskEnded():
                    self._channels.read(message.run)
                    self._ended(message)
                case _:
                    transport.close_all(descriptors)

    def _accepted(self, number: int, channel: int) -> None:
        """The request was granted; its load waits for its turn, or has begun."""
        self._loading(number, "queued", [])
        self._channels.open(number, channel)

    def _loading(self, number: int, stage: messages.Stage, stages: list[tuple[str, float]]) -> None:
        if pending := self._pending.get(number):
            pending.stage = stage
            self._put(messages.Loading(**pending.identity(number), stage=stage, stages=stages))

    def _refused(self, number: int, error: str) -> None:
        if pending := self._pending.pop(number, None):
            self._refuse(pending.request, error)
            self._switch_statistics()
        elif number == CENSUS_RUN:
            self._census_probe.failed(error)
        elif number == naming.RUN:
            self._naming.answered(None)
        elif number == noting.RUN:
            self._noting.failed(error)
        elif number == programs.RUN:
            self._programs.failed(error)
        elif number == processes.RUN:
            self._facts.failed(error)
        elif number == threads.RUN:
            self._threads.failed(error)
        elif number == containers.RUN:
            self._containers.answered([])
        elif number == codes.RUN:
            self._codes.answered(None, [])

    def _broken(self, number: int, error: str) -> None:
        self._failed(number, messages.Failed(stage="load", error=error))

    def _on_report(self, number: int, message: protocol.AnyMessage, descriptors: list[int]) -> None:
        match message:
            case protocol.Progress(stage=stage, stages=stages):
                self._loading(number, stage, stages)
            case protocol.Handover():
                self._attached(number, message, descriptors)
            case protocol.LoadFailed(outcome=outcome):
                self._failed(number, outcome)
            case protocol.Refusal(error=error):
                self._refused(number, error)
            case protocol.Surveyed(found=found):
                self._put_catalog(surveyed(self._probes, found))
            case protocol.RunTimesOn():
                self._run_times.opened(descriptors[0])
                self._switch_statistics()
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
                self._naming.answered(message)
            case protocol.MemoryEventsOpened():
                self._noting.opened(descriptors)
                self._watch(self._noting.rings)
            case protocol.TaskFailed(error=error):
                self._warn(error)
            case _:
                transport.close_all(descriptors)

    def _attached(self, number: int, message: protocol.Handover, descriptors: list[int]) -> None:
        if number == CENSUS_RUN:
            self._census_probe.attached(message, descriptors)
            self._watch(self._census_probe.rings)
            return
        pending = self._pending.pop(number)
        probe = pending.request.probe
        run = AttachedProbe(
            number, probe, message, descriptors, self._census, self._context, self._functions, self._codes
        )
        run.given = pending.request.params
        run.rate_limit = budgets.Limit.of(self._probes[probe].params, run.given)
        try:
            self._groups.limit(run, pending.found, lambda line: self._warn(f"{probe}: {line}"))
        except OSError as error:
            self._detaching.begin(number, run.attachments)
            run.close()
            self._refuse(pending.request, f"{probe}: {error.strerror}")
            return
        self._begin_interval(run, pending.request.interval)
        self._watch(run.buffers)
        outcome = replace(message.outcome, notes=[*pending.notes, *message.outcome.notes])
        self._put(messages.Loaded(**pending.identity(number), **facts(outcome)))
        self._drain([run])
        self._report(run)

    def _begin_interval(self, run: AttachedProbe, seconds: float) -> None:
        run.interval = min(max(seconds, SHORTEST), LONGEST)
        run.next_at = first(time.monotonic(), run.interval, self._due())
        self._runs[run.number] = run

    def _due(self) -> list[tuple[float, float]]:
        """Interval and next time of each run."""
        return [(run.interval, run.next_at) for run in self._runs.values()]

    def _ended(self, ended: protocol.TaskEnded) -> None:
        """A task's process ended without doing its work."""
        pending = self._pending.get(ended.run)
        self._failed(ended.run, ended.outcome(pending.stage, pending.text) if pending else ended.outcome("queued", ""))

    def _failed(self, number: int, outcome: messages.Failed) -> None:
        pending = self._pending.pop(number, None)
        if number == CENSUS_RUN:
            self._census_probe.failed(outcome.error)
        elif number == naming.RUN:
            self._naming.answered(None)
        elif number == noting.RUN:
            self._noting.failed(outcome.error)
        elif number == programs.RUN:
            self._programs.failed(outcome.error)
        elif number == processes.RUN:
            self._facts.failed(outcome.error)
        elif number == threads.RUN:
            self._threads.failed(outcome.error)
        elif number == containers.RUN:
            self._containers.answered([])
        elif number == codes.RUN:
            self._codes.answered(None, [])
        if pending is None:
            return
        self._put(messages.Rejected(**pending.identity(number), **facts(outcome)))
        self._switch_statistics()

    def _open_waits(self, threads: list[int]) -> list[messages.OpenWait]:
        return [wait for run in self._runs.values() for wait in run.open_waits(threads)]

    # ---------------------------------------------------------------- detaching

    def _detach(self, number: int) -> None:
        """Attachments first, so that the last snapshot is the final word."""
        run = self._runs.get(number)
        if run is not None and self._detaching.begin(number, run.attachments):
            self._put(messages.Detaching(run=number, done=0, total=len(run.attachments)))

    def _on_detaching(self) -> None:
        for number, closing in self._detaching.progress():
            run = self._runs.get(number)
            if run is None:  # given up
                continue
            if not closing.finished:
                self._put(messages.Detaching(run=number, done=closing.done, total=closing.total))
                continue
            self._finishing[number] = time.monotonic() + FINISHING
        self._finish()

    def _finish(self) -> None:
        """Report for the last time what is detached, once no sample waits for its program's code."""
        for number, late in list(self._finishing.items()):
            run = self._runs.get(number)
            if run is not None:
                self._drain([run])
                if run.waits and time.monotonic() < late:
                    continue
                self._drain([run], last=True)
                self._report(run, last=True)
            del self._finishing[number]
            if self._runs.pop(number, None) and run is not None:
                self._over[number] = run
                reason = self._reasons.pop(number, "")
                self._naming.detached(number, run.has_stacks, partial(self._close, run), reason=reason)
        self._switch_statistics()

    def _close(self, run: AttachedProbe) -> None:
        if self._over.pop(run.number, None):
            run.close()

    # ---------------------------------------------------------------- time

    def _timeout(self) -> float | None:
        ends = [self._host_at, self._naming.due, *(run.next_at for run in self._runs.values())]
        if self._census_probe.pending or any(map(self._is_watched, self._runs.values())):
            ends.append(self._drain_at)
        return max(0.0, min(ends) - time.monotonic())

    def _is_watched(self, run: AttachedProbe) -> bool:
        return run.copies is not None or (run.has_events and (self._watched is None or run.number in self._watched))

    def _tick(self, now: float) -> None:
        due = [run for run in self._runs.values() if now >= run.next_at]
        with_host = now >= self._host_at
        if due or with_host or self._fills:
            self._drain(list(self._runs.values()))
        elif now >= self._drain_at:
            self._drain([run for run in self._runs.values() if self._is_watched(run)])
        for run in due:
            run.next_at = following(run.next_at, run.interval, now)
            self._report(run)
        if self._finishing:
            self._finish()
        self._naming.tick(now)
        self._containers.tick(now)
        while self._unfound and self._groups.ready:
            self._find(self._unfound.popleft())
        self._codes.tick(now)
        if with_host:
            self._groups.look()
            self._host_at = first(now, HOST_SECONDS, self._due())
            self._host()
            self._hold_budget(now)
            self._switch_statistics()

    def _hold_budget(self, now: float) -> None:
        """Here, not where costs are shown: it holds while the consumer is stopped, too."""
        attached = {run.number: run for run in self._runs.values() if run.number not in self._reasons}
        spendings = {number: run.spending(_ONE_TICK) for number, run in attached.items()}
        limits = {number: run.rate_limit for number, run in attached.items() if run.rate_limit}
        ran = {number: times for number, (_, times) in spendings.items()}
        for number, reason in self._budget.beyond(now, ran, limits).items():
            self._reasons[number] = reason
            self._detach(number)
            del spendings[number]
        spent = self._budget.look(now, {number: ns for number, (ns, _) in spendings.items()})
        if spent is None:
            return
        if self._budget.is_over(spent):
            run = attached[spent.run]
            self._reasons[run.number] = self._budget.reason(spent, self._probes.get(run.probe), run.given)
            self._detach(run.number)
        elif self._budget.warns(spent):
            self._warn(f"probes take {spent.together:.0f}% of a CPU, most of it {attached[spent.run].probe}")

    def _read_copies(self) -> None:
        """The code is known that some have waited for."""
        self._drain_at = 0.0

    def _watch(self, rings: Iterable[EventRing | Copies | MemoryEvents]) -> None:
        for ring in rings:
            self._filling.watch(ring.fd)

    def _on_filling(self) -> None:
        rings = [*self._census_probe.rings, *(ring for run in self._runs.values() for ring in run.buffers)]
        if self._filling.fills([*(each.ring for each in rings), *self._noting.rings]) or self._census_probe.has_groups:
            self._fills = True

    def _drain(self, runs: list[AttachedProbe], *, last: bool = False) -> None:
        """Drain events, then births: so the processes in an event are known when it is decoded. last: see
        `AttachedProbe.take`.
        """
        self._drain_at, self._fills = time.monotonic() + DRAIN_SECONDS, False
        records = [(run, self._take(run, last=last)) for run in runs if run.buffers]
        self._census_probe.take()
        self._noting.take()
        for run, taken in records:
            try:
                frames = run.events(taken)
            except (OSError, ValueError) as error:
                self._give_up(run, str(error))
                continue
            self._put_processes()
            for frame in frames:
                self._put(frame)

    def _take(self, run: AttachedProbe, *, last: bool) -> list[npt.NDArray[Any]]:
        try:
            return run.take(last=last)
        except RingBroken as broken:
            self._give_up(run, str(broken))
            return []

    def _give_up(self, run: AttachedProbe, why: str) -> None:
        """A probe whose records can't be read is detached; the others go on."""
        self._naming.drop(run.number)
        if self._runs.pop(run.number, None) is None:
            return
        self._detaching.begin(run.number, run.attachments)
        run.close()
        self._put(messages.Detached(run=run.number, reason=why))

    def _report(self, run: AttachedProbe, *, last: bool = False) -> None:
        """Put a run's state now: its maps and cost, and the processes in its rows. Its events were drained.

        What waits for names goes first, unless this is the last: with new code in each, none would ever be named.
        """
        if run.number not in self._runs or (self._naming.holds(run.number) and not last) or not self._look(run):
            return
        if run.has_stacks:
            self._naming.put(run.number, partial(self._publish, run))
        else:
            self._publish(run)

    def _look(self, run: AttachedProbe) -> bool:
        try:
            run.look()
        except (OSError, ValueError) as error:
            self._give_up(run, str(error))
            return False
        return True

    def _publish(self, run: AttachedProbe) -> None:
        """Put what was read last."""
        try:
            snapshot = run.snapshot()
        except (OSError, ValueError) as error:
            self._give_up(run, str(error))
            return
        self._put_processes()
        self._put(snapshot)
        self._put(run.cost(self._run_times.on))

    def _put_processes(self) -> None:
        if changed := self._census.changes():
            self._put(messages.Processes(processes=changed))

    def _host(self) -> None:
        if not (self._pending or self._over or any(run.has_stacks for run in self._runs.values())):
            self._noting.switch(False)
        self._functions.forget()
        runs = (*self._runs.values(), *self._over.values())
        self._census.forget(set[int]().union(*(run.held() for run in runs)))
        for run in runs:
            run.forget(self._census)
        self._put(host(self._pressures))
