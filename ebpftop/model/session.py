"""The state a stream of frames adds up to. A `Hello` starts over, so a source may send its state again."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ebpftop.base import bounds
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.identities import Foreseen, Identities
from ebpftop.frames.marks import MARKS
from ebpftop.frames.messages import (
    FOLDED,
    AnyFrame,
    Catalog,
    Cost,
    Detached,
    Detaching,
    Events,
    Hello,
    Host,
    Hosts,
    Loaded,
    Loading,
    Mark,
    Notice,
    Process,
    Processes,
    Refused,
    Rejected,
    Snapshot,
    Stacks,
    Threads,
)
from ebpftop.model.machines import Machines
from ebpftop.model.past.memory import LIMIT, hold
from ebpftop.model.past.span import Span

if TYPE_CHECKING:
    from ebpftop.frames.stacks import KnownStacks
    from ebpftop.model.run import Run, Sample

_ENDED_EARLIER = Process(id=FOLDED, tgid=0, start_ns=0, comm="(ended earlier)", ended_ns=0)
RUNS = 256  # at once; beyond, the oldest finished one is dropped


class Session:
    """What a consumer knows about its source.

    history: the number of costs and host values kept. event_rows: events kept of each ring buffer; None keeps all until
    they are taken. past_bytes: of the pasts of all runs, with their events and samples; 0 keeps no past. process_bytes:
    of identities. stack_bytes: of call stacks. ahead: on a tape, what was read ahead of the stream with this hello, if
    anything.
    """

    def __init__(
        self,
        *,
        history: int = 120,
        event_rows: int | None = 10_000,
        past_bytes: int = LIMIT,
        process_bytes: int = bounds.PROCESSES,
        stack_bytes: int = bounds.STACKS,
        ahead: Callable[[Hello | None], Session | None] | None = None,
    ) -> None:
        self.history = history
        self.event_rows = event_rows
        self.past_bytes = past_bytes
        self.process_bytes = process_bytes
        self.stack_bytes = stack_bytes
        self._ahead = ahead
        self._begin(None)

    def _begin(self, hello: Hello | None) -> None:
        self.hello = hello
        self.catalog: Catalog | None = None
        ahead: Callable[[], Session | None] = partial(self._ahead, hello) if self._ahead else lambda: None
        self._read_ahead = ahead
        self._identities = Identities(self.process_bytes)
        self.processes: Identities | Foreseen = self._identities
        if self._ahead is not None:
            self.processes = Foreseen(self._identities, lambda: found.processes if (found := ahead()) else {})
        self._stacks: KnownStacks | None = None
        self.runs: dict[int, Run] = {}
        self.hosts: deque[Host] = deque(maxlen=self.history)
        self.machines = Machines(self.history)  # of a stream that comes from several hosts
        self.threads: Threads | None = None  # the last reading of them, if anybody looked
        self.notices: deque[Notice] = deque(maxlen=self.history)
        self.marks: list[Mark] = []  # in the order of time; beyond `MARKS`, the oldest are forgotten
        self.refused: Refused | None = None  # the last request that was refused
        self._failures = 0
        self.failures: deque[tuple[int, str]] = deque(maxlen=self.history)  # when (0: before any sample), and probe

    @property
    def loads(self) -> Mapping[str, Sequence[Host]]:
        """The loads of each host, oldest first; of a single machine under ""."""
        return self.machines.loads if self.machines.several else {"": self.hosts}

    @property
    def stacks(self) -> KnownStacks:
        """The call stacks for the numbers in the runs' columns."""
        if self._stacks is None:
            from ebpftop.frames.stacks import KnownStacks  # NumPy, which the first screen can do without

            ahead = self._read_ahead
            self._stacks = KnownStacks(self.stack_bytes, lambda: found.stacks if (found := ahead()) else None)
        return self._stacks

    @property
    def reach(self) -> Span | None:
        """The range from the first sample of all runs, current or past, to the last one, on a tape including the
        unplayed part; None before there is any.
        """
        newest = self.newest
        if newest is None:
            return None
        pasts = [past for run in self.runs.values() for past in run.pasts.values()]
        begins = [run.began_ns for run in self.runs.values() if run.began_ns]
        return Span(
            min([*begins, *(past.begin + 1 for past in pasts if past.begin is not None)]),
            max([newest.monotonic_ns, *(past.end for past in pasts if past.end is not None)]),
        )

    @property
    def newest(self) -> Sample | None:
        """The last sample of all."""
        samples = (run.last for run in self.runs.values() if run.last)
        return max(samples, key=lambda sample: sample.monotonic_ns, default=None)

    def stand(self) -> int:
        """A moment at which screens can freeze (monotonic ns): everything received is before it, including events after
        the last sample.
        """
        newest = self.newest
        now = newest.monotonic_ns if newest else 0
        for run in self.runs.values():
            for log in run.events.values():
                log.sampled(now)
        return now

    def feed(self, frame: AnyFrame) -> Run | None:
        """Take one frame in; return the run it belongs to, if any. Raises `BadFrame`."""
        match frame:
            case Hello():
                self._begin(frame)
            case Catalog():
                self.catalog = frame
            case Processes():
                self._identities.remember(frame.processes)
            case Stacks():
                self.stacks.take(frame)
            case Host():
                if not self.hosts or frame.realtime_ns > self.hosts[-1].realtime_ns:
                    self.hosts.append(frame)
            case Hosts():
                self.machines.take(frame)
            case Threads():
                self.threads = frame
            case Notice():
                self.notices.append(frame)
            case Mark() if frame not in self.marks:  # a tape says early which it has
                insort(self.marks, frame, key=lambda mark: mark.monotonic_ns)
                del self.marks[:-MARKS]
            case Refused():
                self.refused = frame
            case Loading() | Loaded() | Rejected():
                return self._load(frame)
            case Snapshot() | Events() | Cost() | Detaching() | Detached():
                run = self.runs.get(frame.run)
                if run is not None:
                    self._advance(run, frame)
                return run
        return None

    def _load(self, frame: Loading | Loaded | Rejected) -> Run:
        run = self.runs.get(frame.run)
        if run is None:
            from ebpftop.model.run import Run  # NumPy as well

            self._make_room()
            run = self.runs[frame.run] = Run(
                frame.run,
                frame.probe,
                frame.params,
                self.stacks,
                request=frame.request,
                remembers=self.past_bytes > 0,
                all_gaps=self.machines.gaps,
            )
            number, ahead = frame.run, self._read_ahead
            run.ahead = lambda: found.runs.get(number) if (found := ahead()) else None
        match frame:
            case Loading():
                run.loading = frame
            case Loaded():
                if run.loaded is None:
                    run.load(frame)
            case Rejected():
                run.rejected = frame
                run.state = "rejected"
                self._fail(run)
        return run

    def _fail(self, run: Run) -> None:
        self._failures += 1
        run.failed = self._failures
        newest = self.newest
        self.failures.append((newest.monotonic_ns if newest else 0, run.probe))

    def _make_room(self) -> None:
        if len(self.runs) >= RUNS:
            over = (number for number, run in self.runs.items() if run.state in ("rejected", "detached"))
            first = next(over, None)
            if first is None:
                raise BadFrame(f"more than {RUNS} probes run at once")
            del self.runs[first]

    def _hold(self) -> None:
        """Keep the past within its limit. Events that wait to be taken stay."""
        if self.past_bytes:
            runs = self.runs.values()
            logs = [log for run in runs for log in run.events.values() if log.limit is not None]
            pasts = [past for run in runs for past in run.kept.values()]
            samples = [moments for run in runs for moments in run.samples.values()]
            hold([*pasts, *samples, *logs], self.past_bytes)

    def _advance(self, run: Run, frame: Snapshot | Events | Cost | Detaching | Detached) -> None:
        match frame:
            case Snapshot():
                run.add_sample(frame)
                self._hold()
                if FOLDED not in self.processes and any(ledger.dropped for ledger in run.ledgers.values()):
                    self._identities.remember([_ENDED_EARLIER])
            case Events():
                run.add_events(frame, self.event_rows)
            case Cost():
                run.add_cost(frame, self.history)
            case Detaching():
                run.detaching = frame
                if run.attached_until is None and run.last is not None:
                    run.attached_until = run.last.monotonic_ns
                if run.state == "running":
                    run.state = "detaching"
            case Detached():
                run.end(frame)
                if frame.reason:
                    self._fail(run)
