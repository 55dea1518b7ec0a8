"""The state a stream of frames adds up to. A `Hello` starts over, so a source may send its state again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.identities import remember
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
    Loaded,
    Loading,
    Notice,
    Process,
    Processes,
    Refused,
    Rejected,
    Snapshot,
    Stacks,
)

if TYPE_CHECKING:
    from ebpftop.frames.stacks import KnownStacks
    from ebpftop.model.run import Run

_ENDED_EARLIER = Process(id=FOLDED, tgid=0, start_ns=0, comm="(ended earlier)", ended_ns=0)
RUNS = 256  # at once; beyond, the oldest finished one is dropped


class Session:
    """What a consumer knows about its source.

    history: samples, costs and host values kept (samples also by bytes, `run.SAMPLE_BYTES`). event_rows: events kept of
    each ring buffer; None keeps all until they are taken.
    """

    def __init__(self, *, history: int = 120, event_rows: int | None = 10_000) -> None:
        self.history = history
        self.event_rows = event_rows
        self._begin(None)

    def _begin(self, hello: Hello | None) -> None:
        self.hello = hello
        self.catalog: Catalog | None = None
        self.processes: dict[int, Process] = {}
        self._stacks: KnownStacks | None = None
        self.runs: dict[int, Run] = {}
        self.hosts: deque[Host] = deque(maxlen=self.history)
        self.notices: deque[Notice] = deque(maxlen=self.history)
        self.refused: Refused | None = None  # the last request that was refused

    @property
    def stacks(self) -> KnownStacks:
        """The call stacks behind the numbers in the runs' columns."""
        if self._stacks is None:
            from ebpftop.frames.stacks import KnownStacks  # NumPy, which the first screen can do without

            self._stacks = KnownStacks()
        return self._stacks

    def feed(self, frame: AnyFrame) -> Run | None:
        """Take one frame in; return the run it belongs to, if any. Raises `BadFrame`."""
        match frame:
            case Hello():
                self._begin(frame)
            case Catalog():
                self.catalog = frame
            case Processes():
                remember(self.processes, frame.processes)
            case Stacks():
                self.stacks.take(frame)
            case Host():
                if not self.hosts or frame.realtime_ns > self.hosts[-1].realtime_ns:
                    self.hosts.append(frame)
            case Notice():
                self.notices.append(frame)
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
            run = self.runs[frame.run] = Run(frame.run, frame.probe, frame.params, self.stacks, request=frame.request)
        match frame:
            case Loading():
                run.loading = frame
            case Loaded():
                if run.loaded is None:
                    run.load(frame)
            case Rejected():
                run.rejected = frame
                run.state = "rejected"
        return run

    def _make_room(self) -> None:
        if len(self.runs) >= RUNS:
            over = (number for number, run in self.runs.items() if run.state in ("rejected", "detached"))
            first = next(over, None)
            if first is None:
                raise BadFrame(f"more than {RUNS} probes run at once")
            del self.runs[first]

    def _advance(self, run: Run, frame: Snapshot | Events | Cost | Detaching | Detached) -> None:
        match frame:
            case Snapshot():
                run.add_sample(frame, self.history)
                if any(ledger.dropped for ledger in run.ledgers.values()):
                    self.processes.setdefault(FOLDED, _ENDED_EARLIER)
            case Events():
                run.add_events(frame, self.event_rows)
            case Cost():
                run.add_cost(frame, self.history)
            case Detaching():
                run.detaching = frame
                if run.state == "running":
                    run.state = "detaching"
            case Detached():
                run.detached = frame
                run.state = "detached"
