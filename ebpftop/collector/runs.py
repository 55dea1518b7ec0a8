"""The attached probes of one consumer: when they are read, what is sent for them, and how they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy.typing as npt

from ebpftop.collector import naming
from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.budget import Budget, Limit
from ebpftop.collector.census import Census
from ebpftop.collector.census_probe import CensusProbe
from ebpftop.collector.closing import Detaching
from ebpftop.collector.copies import Copies
from ebpftop.collector.counting import CountingRuns
from ebpftop.collector.event_rings import EventRing
from ebpftop.collector.filling import Filling
from ebpftop.collector.functions import Functions
from ebpftop.collector.noting import Noting
from ebpftop.collector.pythons import Pythons
from ebpftop.collector.ring import RingBroken
from ebpftop.collector.run_times import RECENT, RunTimes
from ebpftop.collector.together import first, following
from ebpftop.frames import messages
from ebpftop.handover import protocol
from ebpftop.kernel.memory_events import MemoryEvents

DRAIN_SECONDS = 0.25  # from one look at watched ring buffers to the next, while none fills
FINISHING = 3.0  # seconds that samples may wait for code when their run is detached
SHORTEST, LONGEST = 0.05, 3600.0  # seconds between snapshots


class Runs:
    """attached: by number. over: detached, read for the last time, and waiting for names. hold: see `Naming`."""

    def __init__(
        self,
        put: Callable[[messages.AnyFrame], None],
        request: Callable[[protocol.RequestSymbols], None],
        census: Census,
        census_probe: CensusProbe,
        functions: Functions,
        noting: Noting,
        request_run_times: Callable[[], None],
        budget: Budget,
        *,
        hold: bool,
    ) -> None:
        self.attached: dict[int, AttachedProbe] = {}
        self.over: dict[int, AttachedProbe] = {}
        self.detaching, self.filling = Detaching(), Filling()
        self.naming = naming.Naming(
            functions, request, put, CountingRuns(self.attached, self.over, self._look), hold=hold
        )
        self._put, self._census, self._census_probe, self._noting = put, census, census_probe, noting
        self._budget = budget
        self.run_times = RunTimes(
            request_run_times,
            lambda: {number: run.account for number, run in self.attached.items()},
            lambda rates: budget.is_near(rates, self._limits()),
        )
        self._drain_at = 0.0
        self._fills = False  # whether a ring buffer does
        self._watched: frozenset[int] | None = None  # the runs whose events are looked at; None: all
        self._finishing: dict[int, float] = {}  # runs whose attachments are closed: until when they wait
        self._reasons: dict[int, str] = {}  # why runs are being detached, if nobody requested it

    def begin(self, run: AttachedProbe, seconds: float) -> None:
        """Read it from now on, at this interval; an earlier interval is replaced."""
        run.interval = min(max(seconds, SHORTEST), LONGEST)
        run.next_at = first(time.monotonic(), run.interval, self.due())
        self.attached[run.number] = run

    def _limits(self) -> dict[int, Limit]:
        return {number: run.rate_limit for number, run in self.attached.items() if run.rate_limit}

    def set_interval(self, number: int, seconds: float) -> None:
        if number in self.attached:
            self.begin(self.attached.pop(number), seconds)

    def due(self) -> list[tuple[float, float]]:
        """Interval and next time of each run."""
        return [(run.interval, run.next_at) for run in self.attached.values()]

    def show(self, run: AttachedProbe) -> None:
        """Send its first state."""
        self._drain([run])
        self._report(run)

    def skipped(self, number: int, events: int) -> None:
        """The consumer missed these because it is slow."""
        if run := self.attached.get(number) or self.over.get(number):
            run.skip(events)

    def open_waits(self, threads: list[int]) -> list[messages.OpenWait]:
        return [wait for run in self.attached.values() for wait in run.open_waits(threads)]

    # ---------------------------------------------------------------- ring buffers

    def look_at(self, numbers: Iterable[int]) -> None:
        """Somebody looks at the events of these runs; those of others may wait."""
        self._watched = frozenset(numbers)
        self._drain_at = 0.0

    def drain_soon(self) -> None:
        """Something that records were waiting for has arrived."""
        self._drain_at = 0.0

    def watch(self, rings: Iterable[EventRing | Copies | Pythons | MemoryEvents]) -> None:
        """Wake up when one of them fills up."""
        for ring in rings:
            self.filling.watch(ring.fd)

    def on_filling(self) -> None:
        rings = [*self._census_probe.rings, *(ring for run in self.attached.values() for ring in run.buffers)]
        if self.filling.fills([*(each.ring for each in rings), *self._noting.rings]) or self._census_probe.has_groups:
            self._fills = True

    def _is_watched(self, run: AttachedProbe) -> bool:
        return run.copies is not None or (run.has_events and (self._watched is None or run.number in self._watched))

    def _drain(self, runs: list[AttachedProbe], *, last: bool = False) -> None:
        """Drain events, then births, so that the processes in an event are known when it is decoded. last: see
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

    # ---------------------------------------------------------------- time

    def ends(self) -> list[float]:
        """When something is due next (monotonic seconds)."""
        found = [self.naming.due, *(run.next_at for run in self.attached.values())]
        if self._census_probe.pending or any(map(self._is_watched, self.attached.values())):
            found.append(self._drain_at)
        return found

    def tick(self, now: float, *, whole: bool) -> None:
        """Read the runs that are due. whole: all ring buffers."""
        due = [run for run in self.attached.values() if now >= run.next_at]
        if due or whole or self._fills:
            self._drain(list(self.attached.values()))
        elif now >= self._drain_at:
            self._drain([run for run in self.attached.values() if self._is_watched(run)])
        for run in due:
            run.next_at = following(run.next_at, run.interval, now)
            self._report(run)
        if self._finishing:
            self.finish()
        self.naming.tick(now)

    def forget(self) -> None:
        """Forget everything that nothing shows any longer."""
        runs = (*self.attached.values(), *self.over.values())
        self._census.forget(lambda: set[int]().union(*(run.held() for run in runs)))
        for run in runs:
            run.forget(self._census)

    def hold_budget(self, now: float, probes: dict[str, messages.ProbeInfo]) -> None:
        """Enforce the budget here and not where costs are shown, so that it holds while the
        consumer is stopped, too.
        """
        self.run_times.second()
        attached = {run.number: run for run in self.attached.values() if run.number not in self._reasons}
        for run in attached.values():
            run.account.look_again(RECENT)
        counted = {number: run.account.spending(estimated=False) for number, run in attached.items()}
        ran = {number: times for number, (_, times) in counted.items()}
        for number, reason in self._budget.beyond(now, ran, self._limits()).items():
            self._reasons[number] = reason
            self.detach(number)
            del counted[number]
        estimated = {number: attached[number].account.spending(estimated=True)[0] for number in counted}
        spent = self._budget.look(now, {number: ns for number, (ns, _) in counted.items()}, estimated)
        if spent is None:
            return
        run = attached[spent.run]
        if self._budget.is_over(spent):
            self._reasons[run.number] = self._budget.reason(spent, probes.get(run.probe), run.given)
            self.detach(run.number)
        elif self._budget.warns(spent):
            text = f"probes take {spent.estimated:.0f}% of a CPU, mostly {run.probe}"
            self._put(messages.Notice(level="warning", text=text))

    # ---------------------------------------------------------------- what is put

    def _report(self, run: AttachedProbe, *, last: bool = False) -> None:
        """Send a run's state now: its maps and cost, and the processes in its rows. Its events were drained.

        Frames that wait for names go first, unless this is the last: if each had new code, none would ever be named.
        """
        if run.number not in self.attached or (self.naming.holds(run.number) and not last) or not self._look(run):
            return
        if run.has_stacks:
            self.naming.put(run.number, partial(self._publish, run))
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
        """Send the last reading."""
        try:
            snapshot = run.snapshot()
        except (OSError, ValueError) as error:
            self._give_up(run, str(error))
            return
        self._put_processes()
        self._put(snapshot)
        self._put(run.cost(self.run_times.on))

    def _put_processes(self) -> None:
        if changed := self._census.changes():
            self._put(messages.Processes(processes=changed))

    # ---------------------------------------------------------------- the end

    def detach(self, number: int) -> None:
        """Detach first, so that the last snapshot is final."""
        run = self.attached.get(number)
        if run is not None and self.detaching.begin(number, run.attachments):
            self._put(messages.Detaching(run=number, done=0, total=len(run.attachments)))

    def on_detaching(self) -> None:
        for number, closing in self.detaching.progress():
            if number not in self.attached:  # given up
                continue
            if closing.finished:
                self._finishing[number] = time.monotonic() + FINISHING
            else:
                self._put(messages.Detaching(run=number, done=closing.done, total=closing.total))
        self.finish()

    def finish(self) -> None:
        """Report detached runs for the last time, once no sample waits for its program's code."""
        for number, late in list(self._finishing.items()):
            run = self.attached.get(number)
            if run is not None:
                self._drain([run])
            if run is None or number not in self.attached or (run.waits and time.monotonic() < late):
                continue  # it was given up, or samples wait
            self._drain([run], last=True)
            self._report(run, last=True)
            if self.attached.pop(number, None):
                del self._finishing[number]
                self.over[number] = run
                reason = self._reasons.pop(number, "")
                self.naming.detached(number, run.has_stacks, partial(self._close, run), reason=reason)

    def _close(self, run: AttachedProbe) -> None:
        if self.over.pop(run.number, None):
            run.close()

    def _give_up(self, run: AttachedProbe, why: str) -> None:
        """Detach a probe whose records can't be read; the others go on."""
        self.naming.drop(run.number)
        if self.attached.pop(run.number, None) is None:
            return
        if self._finishing.pop(run.number, None) is None:  # else its attachments are closed
            self.detaching.begin(run.number, run.attachments)
        run.close()
        self._put(messages.Detached(run=run.number, reason=why))
