"""The collector's loop: wishes in, frames out, a timer for every run."""

from __future__ import annotations

import contextlib
import os
import platform
import pwd
import selectors
import socket
import time
from typing import Any

import msgspec
import numpy.typing as npt
import psutil

from ebpftop import __version__, handover
from ebpftop.collector.census import Census
from ebpftop.collector.closing import Closing
from ebpftop.collector.decode import Context
from ebpftop.collector.outbox import Outbox
from ebpftop.collector.ring import RingBroken
from ebpftop.collector.run import Run
from ebpftop.frames import messages
from ebpftop.frames.codec import BadFrame, wish_decoder
from ebpftop.frames.messages import Frame, ProbeInfo

CENSUS = "internal/census"
CENSUS_RUN, SURVEY_RUN, STATISTICS_RUN = -1, 0, -2  # numbers of tasks that are no run of a consumer's
DRAIN_SECONDS = 0.1
SHORTEST, LONGEST = 0.05, 3600.0  # seconds between snapshots


class Server:
    """Serves one consumer until it or the supervisor is gone. `idle`: a person is still choosing what to wish for."""

    def __init__(
        self,
        control: socket.socket,
        stream: socket.socket,
        probes: list[ProbeInfo],
        problems: list[str],
        *,
        idle: bool,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._control = handover.Receiver(control)
        self._outbox = Outbox(stream, self._skipped)
        self._wishes = wish_decoder()
        self._probes, self._problems = {probe.id: probe for probe in probes}, problems
        self._context = Context()
        self._lives = Census(self._context.cgroup_path)
        self._census: Run | None = None
        self._census_asked = False
        self._idle = idle
        self._pending: dict[int, messages.Load] = {}
        self._channels: dict[int, handover.Receiver] = {}
        self._runs: dict[int, Run] = {}
        self._closing: dict[int, Closing] = {}
        self._numbers = iter(range(1, 1 << 30))
        self._statistics_fd: int | None = None
        self._statistics_asked = False
        self._want_statistics = True
        self._drain_at = self._host_at = 0.0
        self._wakeup, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._running = True

    def run(self) -> int:
        """Serve; returns the exit status."""
        control, stream = self._control.socket, self._outbox.socket
        control.setblocking(False)
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        self._selector.register(stream, selectors.EVENT_READ, self._on_wishes)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._on_wakeup)
        self._hello()
        if self._idle:
            self._ask_census()
        while self._running:
            self._flush()
            for key, events in self._selector.select(self._timeout()):
                if events & selectors.EVENT_READ:
                    key.data()
            self._tick(time.monotonic())
        return 0

    # ---------------------------------------------------------------- frames out

    def _put(self, frame: Frame) -> None:
        self._outbox.put(frame)

    def _flush(self) -> None:
        try:
            written = self._outbox.flush()
        except OSError:
            self._running = False
            return
        events = selectors.EVENT_READ if written else selectors.EVENT_READ | selectors.EVENT_WRITE
        if self._selector.get_key(self._outbox.socket).events != events:
            self._selector.modify(self._outbox.socket, events, self._on_wishes)

    def _hello(self) -> None:
        name = platform.uname()
        self._put(
            messages.Hello(
                version=__version__,
                host=name.node,
                kernel=name.release,
                machine=name.machine,
                cpus=os.cpu_count() or 1,
                boot_realtime_ns=time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                user=_user(),
            )
        )
        self._put_catalog()

    def _put_catalog(self) -> None:
        self._put(messages.Catalog(probes=list(self._probes.values()), problems=self._problems))

    def _skipped(self, run: int, events: int) -> None:
        if run in self._runs:
            self._runs[run].skip(events)

    # ---------------------------------------------------------------- wishes in

    def _on_wishes(self) -> None:
        try:
            data = self._outbox.socket.recv(1 << 16)
            wishes = list(self._wishes.feed(data))
        except BlockingIOError:
            return
        except (OSError, BadFrame):
            data = b""
        if not data:
            self._running = False
            return
        for wish in wishes:
            self._grant(wish)

    def _grant(self, wish: messages.AnyWish) -> None:
        match wish:
            case messages.Load():
                self._load(wish)
            case messages.Detach(run=number):
                self._detach(number)
            case messages.Interval(run=number, seconds=seconds):
                if number in self._runs:
                    self._runs[number].interval = min(max(seconds, SHORTEST), LONGEST)
                    self._runs[number].next_at = min(self._runs[number].next_at, time.monotonic() + seconds)
            case messages.Statistics(on=on):
                self._want_statistics = on
                self._switch_statistics()
            case messages.Describe(processes=numbers):
                self._lives.refresh(numbers)

    def _load(self, wish: messages.Load) -> None:
        number = next(self._numbers)
        if wish.probe not in self._probes:
            self._put(messages.Refused(probe=wish.probe, error=f"no probe {wish.probe!a} in the catalog"))
            return
        self._pending[number] = wish
        self._put(messages.Loading(run=number, probe=wish.probe, params=wish.params, stage="queued"))
        self._ask(handover.Ask(run=number, probe=wish.probe, params=wish.params))
        self._switch_statistics()
        if any(c.decode == "process" for view in self._probes[wish.probe].views for c in view.columns):
            self._ask_census()

    def _ask_census(self) -> None:
        if not self._census_asked:
            self._census_asked = True
            self._ask(handover.Ask(run=CENSUS_RUN, probe=CENSUS, params={}))

    def _ask(self, message: handover.Message) -> None:
        try:
            handover.send(self._control.socket, message)
        except OSError:
            self._running = False

    def _switch_statistics(self) -> None:
        """The kernel counts while somebody looks at a running probe, and not longer."""
        wanted = self._want_statistics and bool(self._runs or self._pending)
        if wanted and self._statistics_fd is None and not self._statistics_asked:
            self._statistics_asked = True
            self._ask(handover.AskStatistics(run=STATISTICS_RUN))
        elif not wanted and self._statistics_fd is not None:
            os.close(self._statistics_fd)
            self._statistics_fd = None

    # ---------------------------------------------------------------- what root tasks and the supervisor say

    def _on_control(self) -> None:
        while self._running:
            try:
                received = self._control.receive()
            except BlockingIOError:
                return
            except (handover.HandoverError, OSError):
                received = None
            if received is None:
                self._running = False
                return
            message, descriptors = received
            match message:
                case handover.Channel(run=number) if len(descriptors) == 1:
                    self._open_channel(number, descriptors[0])
                case handover.Refusal(run=number, error=error):
                    pending = self._pending.pop(number, None)
                    if pending is not None:
                        self._put(messages.Refused(probe=pending.probe, error=error))
                    self._switch_statistics()
                case handover.TaskEnded(run=number, rejected=rejected):
                    self._on_channel(number)
                    self._failed(number, rejected)
                case _:
                    handover.close_all(descriptors)

    def _open_channel(self, number: int, fd: int) -> None:
        channel = socket.socket(fileno=fd)
        channel.setblocking(False)
        self._channels[number] = handover.Receiver(channel)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._on_channel(number))

    def _on_channel(self, number: int) -> None:
        while channel := self._channels.get(number):
            received = None
            try:
                received = channel.receive()
            except BlockingIOError:
                return
            except handover.HandoverError as error:
                lost = messages.Rejected(run=number, probe="", params={}, stage="attach", error=str(error))
                self._failed(number, lost)
            except OSError:
                pass
            if received is None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(channel.socket)
                channel.close()
                del self._channels[number]
                return
            self._on_report(number, *received)

    def _on_report(self, number: int, message: handover.AnyMessage, descriptors: list[int]) -> None:
        pending = self._pending.get(number)
        match message:
            case handover.Progress(stage=stage, stages=stages):
                if pending:
                    self._put(
                        messages.Loading(
                            run=number,
                            probe=pending.probe,
                            params=pending.params,
                            stage=stage,
                            stages=stages,
                        )
                    )
            case handover.Handover():
                self._attached(number, message, descriptors)
            case handover.Failure(rejected=rejected):
                self._failed(number, rejected)
            case handover.Surveyed(verdicts=verdicts):
                self._surveyed(verdicts)
            case handover.StatisticsOn():
                self._statistics_asked = False
                self._statistics_fd = descriptors[0]
                self._switch_statistics()
            case handover.TaskFailed(error=error):
                self._put(messages.Notice(level="warning", text=error))
            case _:
                handover.close_all(descriptors)

    def _surveyed(self, verdicts: list[handover.Verdict]) -> None:
        for verdict in verdicts:
            if verdict.probe in self._probes:
                self._probes[verdict.probe] = info_with(self._probes[verdict.probe], verdict)
        self._put_catalog()

    def _attached(self, number: int, message: handover.Handover, descriptors: list[int]) -> None:
        if number == CENSUS_RUN:
            self._census = Run(number, CENSUS, message, descriptors, self._lives, self._context)
            self._lives.told, self._lives.catch_up = True, self._take_census
            self._lives.seed()
            return
        pending = self._pending.pop(number)
        run = Run(number, pending.probe, message, descriptors, self._lives, self._context)
        run.interval = min(max(pending.interval, SHORTEST), LONGEST)
        self._runs[number] = run
        self._put(msgspec.structs.replace(message.loaded, run=number, params=pending.params))
        self._tell(run)
        run.next_at = time.monotonic() + run.interval

    def _failed(self, number: int, rejected: messages.Rejected) -> None:
        pending = self._pending.pop(number, None)
        if number == CENSUS_RUN and self._census is None:
            text = f"processes that end quickly may go unnamed: the census could not be attached ({rejected.error})"
            self._put(messages.Notice(level="warning", text=text))
        if pending is None:
            return
        self._put(msgspec.structs.replace(rejected, run=number, probe=pending.probe, params=pending.params))
        self._switch_statistics()

    # ---------------------------------------------------------------- detaching

    def _detach(self, number: int) -> None:
        """Attachments first, so that the last snapshot is the final word; they may take their time, elsewhere."""
        run = self._runs.get(number)
        if run is None or number in self._closing:
            return
        self._closing[number] = Closing(run.attachments, self._woken)
        self._put(messages.Detaching(run=number, done=0, total=len(run.attachments)))

    def _on_wakeup(self) -> None:
        os.read(self._wakeup, 4096)
        for number, closing in list(self._closing.items()):
            if not closing.finished:
                self._put(messages.Detaching(run=number, done=closing.done, total=closing.total))
                continue
            run = self._runs[number]
            self._tell(run)
            del self._closing[number], self._runs[number]
            run.close()
            self._put(messages.Detached(run=number))
        self._switch_statistics()

    # ---------------------------------------------------------------- time

    def _timeout(self) -> float | None:
        ends = [run.next_at for run in self._runs.values()]
        if self._census or any(run.rings for run in self._runs.values()):
            ends.append(self._drain_at)
        ends.append(self._host_at)
        return max(0.0, min(ends) - time.monotonic())

    def _tick(self, now: float) -> None:
        if now >= self._drain_at:
            self._drain_at = now + DRAIN_SECONDS
            self._drain()
        for run in list(self._runs.values()):
            if now >= run.next_at:
                run.next_at = max(run.next_at + run.interval, now + run.interval / 2)
                self._tell(run)
        if now >= self._host_at:
            self._host_at = now + 1.0
            self._host()

    def _drain(self) -> None:
        """Events first, then births: whoever an event speaks of is known when it is decoded."""
        records = [(run, self._take(run)) for run in list(self._runs.values()) if run.rings]
        self._take_census()
        for run, taken in records:
            try:
                frames = run.events(taken)
            except ValueError as error:
                self._give_up(run, str(error))
                continue
            self._put_processes()
            for frame in frames:
                self._put(frame)

    def _take(self, run: Run) -> list[npt.NDArray[Any]]:
        try:
            return run.take()
        except RingBroken as broken:
            self._give_up(run, str(broken))
            return []

    def _give_up(self, run: Run, why: str) -> None:
        """A probe whose records can't be read is detached; the others go on."""
        del self._runs[run.number]
        Closing(run.attachments, self._woken)
        run.close()
        self._put(messages.Detached(run=run.number, reason=why))

    def _take_census(self) -> None:
        if self._census is None:
            return
        rings = dict(zip((ring.name for ring in self._census.rings), self._census.take(), strict=True))
        self._lives.take(rings["lives"], rings["execs"])

    def _tell(self, run: Run) -> None:
        """All there is to say of a run now: its events, its maps, its cost, and who the rows speak of."""
        self._drain()
        if run.number not in self._runs:
            return
        try:
            snapshot = run.snapshot()
        except (OSError, ValueError) as error:
            self._give_up(run, str(error))
            return
        self._put_processes()
        self._put(snapshot)
        self._put(run.cost(self._statistics_fd is not None))

    def _put_processes(self) -> None:
        if changed := self._lives.changes():
            self._put(messages.Processes(processes=changed))

    def _host(self) -> None:
        self._lives.forget(set[int]().union(*(run.held() for run in self._runs.values())))
        self._put(
            messages.Host(
                realtime_ns=time.time_ns(),
                cpu_percent=psutil.cpu_percent(),
                memory_percent=psutil.virtual_memory().percent,
                load=os.getloadavg()[0],
            )
        )


def info_with(probe: ProbeInfo, verdict: handover.Verdict) -> ProbeInfo:
    """The catalog entry with what the survey found."""
    return msgspec.structs.replace(
        probe,
        available=verdict.available,
        variant=verdict.variant,
        meaning=verdict.meaning,
        reason=verdict.reason,
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
