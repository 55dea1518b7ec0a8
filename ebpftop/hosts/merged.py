"""Several hosts as one source: every run is on all of them, and its rows name their host.

One snapshot contains the counts of all hosts. It is made as soon as each host has sent its own, or half an interval
after the first. Hosts read their maps at their own times, so the values of two hosts in one step may be up to an
interval apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from itertools import count
from typing import Literal

from msgspec import structs

from ebpftop import __version__
from ebpftop.frames.messages import (
    AccountRunTimes,
    AnyFrame,
    AnyRequest,
    Catalog,
    Cost,
    Describe,
    Detach,
    Detached,
    Detaching,
    Events,
    Hello,
    Host,
    Hosts,
    HostState,
    Interval,
    Load,
    Loaded,
    Loading,
    Notice,
    Processes,
    ProcessFacts,
    Programs,
    ReadProcess,
    ReadPrograms,
    ReadThreads,
    Refused,
    Rejected,
    Snapshot,
    Stacks,
    Threads,
    Watch,
)
from ebpftop.frames.source import Source
from ebpftop.hosts import catalogs
from ebpftop.hosts.joining import added
from ebpftop.hosts.notices import shortened
from ebpftop.hosts.peer import Peer, Pools
from ebpftop.hosts.spread import Part, Spread

_QUEUE = 64  # frames that may wait; hosts are read no further meanwhile
_STARTING = 3.0  # seconds until the stream begins, whoever is there
_TOLD = 1.0  # seconds between the states of hosts
_DETACHING = 15.0  # seconds that a host has for detaching a probe
_GATHER = 0.3  # seconds in which catalogs come together


class MergedSource(Source):
    """hosts: their names and streams; problems: why the first attempt to reach some of them failed. here: this
    machine's name among them.
    """

    def __init__(self, hosts: Mapping[str, Source], *, here: str = "", problems: Mapping[str, str] = {}) -> None:
        pools = Pools()
        self.peers = [
            Peer(name, source, pools, self, here=name == here, problem=problems.get(name, ""))
            for name, source in hosts.items()
        ]
        self._runs: dict[int, Spread] = {}
        self._queue: asyncio.Queue[AnyFrame | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._statistics = True
        self._looking: set[str] = set()  # hosts that were asked for a process
        self._reading: dict[type[AnyFrame], str] = {}  # who was asked last for all programs, or threads
        self._closed = False
        self._failure: BaseException | None = None

    @property
    def several(self) -> bool:
        return len(self.peers) > 1

    # ---------------------------------------------------------------- frames out

    async def frames(self) -> AsyncIterator[AnyFrame]:
        self._tasks = [asyncio.create_task(peer.watch()) for peer in self.peers]
        for task in self._tasks:
            task.add_done_callback(self._failed)
        end = time.monotonic() + _STARTING
        while not all(peer.settled for peer in self.peers) and time.monotonic() < end and not self._closed:
            await asyncio.sleep(0.05)
        yield self._hello()
        self._put([self._states()])  # behind what was said of them meanwhile
        self._gather()
        self._tasks.append(asyncio.create_task(self._tell()))
        while (frame := await self._queue.get()) is not None:
            self._taken.set()
            yield frame
        if self._failure is not None:
            raise self._failure

    def _failed(self, task: asyncio.Task[None]) -> None:
        """Report a bug as such, not as a host that was cut off."""
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure
            self._queue.put_nowait(None)

    def _put(self, frames: Iterable[AnyFrame]) -> None:
        for frame in frames:
            self._queue.put_nowait(frame)

    async def room(self) -> None:
        while self._queue.qsize() >= _QUEUE and not self._closed:
            self._taken.clear()
            await self._taken.wait()

    def _hello(self) -> Hello:
        known = [peer.hello for peer in self.peers if peer.hello is not None]
        return Hello(
            version=__version__,
            host=", ".join(peer.name for peer in self.peers),
            kernel=", ".join(dict.fromkeys(each.kernel for each in known)),
            machine=", ".join(dict.fromkeys(each.machine for each in known)),
            cpus=added(*(each.cpus for each in known)),
            boot_realtime_ns=time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            user="",
        )

    def _states(self) -> Hosts:
        return Hosts(realtime_ns=time.time_ns(), hosts=[self._state(peer) for peer in self.peers])

    def _state(self, peer: Peer) -> HostState:
        found = (run.without(peer.name) for run in self._runs.values())
        return structs.replace(peer.state(), without=[each for each in found if each is not None])

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TOLD)
            if self._queue.qsize() < _QUEUE:
                self._put([self._states()])

    def _gather(self) -> None:
        """Send the catalog of all hosts soon: they arrive one after the other."""
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER, self._put_catalog)

    def _put_catalog(self) -> None:
        self._gathering = None
        known = {peer.name: peer.catalog for peer in self.peers if peer.is_ready and peer.catalog is not None}
        if known:
            self._put([catalogs.merged(known)])

    # ---------------------------------------------------------------- what hosts send

    def told(self, peer: Peer, text: str, level: Literal["info", "warning", "error"]) -> None:
        self._put([_notice(peer, text, level)])

    def ready(self, peer: Peer) -> None:
        for other in self.peers:
            if other.is_same_machine(peer):
                self.told(peer, f"it is the same machine as {other.name}: its events are counted twice", "warning")
        self._gather()
        self._send(peer, AccountRunTimes(on=self._statistics))
        for run in self._runs.values():
            if not run.over and not run.detaching:
                self._ask(peer, run)

    def _ask(self, peer: Peer, run: Spread) -> None:
        run.parts[peer.name] = Part()
        self._send(peer, structs.replace(run.load, request=run.number))

    def gone(self, peer: Peer) -> None:
        for run in self._runs.values():
            self._put(run.gone(peer.name))
        self._answer_process(peer, ProcessFacts(tgid=0, start_ns=0, boottime_ns=0, gone=True))
        for answer in (Programs, Threads):
            if self._reading.get(answer) == peer.name:
                del self._reading[answer]
                self._put([_not_read(answer, peer.name)])
        self._gather()
        self._forget()

    def take(self, peer: Peer, frame: AnyFrame) -> None:
        match frame:
            case Catalog():
                self._gather()
            case Notice():
                self._put(peer.notices.bounded([_notice(peer, frame.text, frame.level)]))
            case Processes() | Stacks():
                self._put([frame])
            case Refused():
                self._of_run(peer, frame.request, frame)
            case Loading() | Loaded() | Rejected() | Snapshot() | Events() | Cost() | Detaching() | Detached():
                self._of_run(peer, frame.run, frame)
            case ProcessFacts():
                self._answer_process(peer, frame)
            case Programs() | Threads() if self._reading.get(type(frame)) == peer.name:
                self._put([structs.replace(frame, host=peer.name if self.several else "")])
            case Host() if not self.several:
                self._put([frame])

    def _of_run(
        self,
        peer: Peer,
        number: int,
        frame: Loading | Loaded | Rejected | Refused | Snapshot | Events | Cost | Detaching | Detached,
    ) -> None:
        run = self._runs.get(number)
        if run is None:
            return
        self._put(peer.notices.bounded(run.take(peer.name, frame)))
        part = run.parts.get(peer.name)
        unwanted = part is not None and part.state == "failed" and isinstance(frame, Loaded | Snapshot)
        if unwanted or (run.detaching and isinstance(frame, Loading | Loaded)):
            self._detach(peer, run)
        if isinstance(frame, Snapshot) and not run.over:
            self._make_snapshot(run)
        self._forget()

    def _make_snapshot(self, run: Spread) -> None:
        """Make a snapshot now if all are there, otherwise after half an interval."""
        if run.is_due({peer.name for peer in self.peers if peer.is_ready and not peer.is_late}):
            self._now(run)
        elif run.number not in self._timers:
            after = max(0.05, run.load.interval / 2)
            self._timers[run.number] = asyncio.get_running_loop().call_later(after, partial(self._now, run))

    def _now(self, run: Spread) -> None:
        if timer := self._timers.pop(run.number, None):
            timer.cancel()
        if not run.over:
            self._put(run.snapshot())

    def _forget(self) -> None:
        for number in [number for number, run in self._runs.items() if run.over]:
            del self._runs[number]
            if timer := self._timers.pop(number, None):
                timer.cancel()

    # ---------------------------------------------------------------- requests

    async def request(self, request: AnyRequest) -> None:
        match request:
            case Load():
                self._load(request)
            case Detach(run=number) if run := self._runs.get(number):
                for peer in self.peers:
                    self._detach(peer, run)
                self._put(run.end())
                self._forget()
                asyncio.get_running_loop().call_later(_DETACHING, self._overdue, run)
            case Interval(run=number) if run := self._runs.get(number):
                run.load = structs.replace(run.load, interval=request.seconds)
                for peer in self.peers:
                    if (there := peer.there(number)) is not None:
                        self._send(peer, structs.replace(request, run=there))
            case AccountRunTimes():
                self._statistics = request.on
                self._all(request)
            case Describe():
                for peer in self.peers:
                    if mine := peer.identities(request.processes):
                        self._send(peer, Describe(processes=mine))
            case Watch():
                for peer in self.peers:
                    runs = [there for run in request.runs if (there := peer.there(run)) is not None]
                    cgroup = "" if self.several else request.cgroup  # a path on one host says nothing of another
                    self._send(peer, Watch(runs=runs, cgroup=cgroup))
            case ReadProcess():
                self._looking = {peer.name for peer in self.peers if peer.is_ready}
                for peer in self.peers:
                    later = peer.shift.boottime
                    self._send(peer, structs.replace(request, start_ns=max(0, request.start_ns - later)))
            case ReadPrograms() | ReadThreads():
                self._read(request)

    def _read(self, request: ReadPrograms | ReadThreads) -> None:
        """Read from the named host, or the only one."""
        answer = Programs if isinstance(request, ReadPrograms) else Threads
        peer = next((each for each in self.peers if each.name == request.host or not self.several), None)
        if peer is not None and peer.is_ready:
            self._reading[answer] = peer.name
            self._send(peer, structs.replace(request, host=""))
        else:
            self._put([_not_read(answer, request.host)])

    def _load(self, load: Load) -> None:
        number = next(self._numbers)
        run = self._runs[number] = Spread(number, load, several=self.several)
        for peer in self.peers:
            if peer.is_ready:
                self._ask(peer, run)

    def _detach(self, peer: Peer, run: Spread) -> None:
        if (there := peer.there(run.number)) is not None:
            self._send(peer, Detach(run=there))

    def _overdue(self, run: Spread) -> None:
        if not run.over:
            self._put(run.overdue())
            self._forget()

    def _answer_process(self, peer: Peer, facts: ProcessFacts) -> None:
        """Only one of the hosts knows the process."""
        if peer.name in self._looking:
            self._looking.discard(peer.name)
            if not facts.gone:
                self._looking.clear()
            if not facts.gone or (not self._looking and facts.tgid):
                self._put([facts])

    def _all(self, request: AnyRequest) -> None:
        for peer in self.peers:
            self._send(peer, request)

    def _send(self, peer: Peer, request: AnyRequest) -> None:
        """Send in a task, so that nobody waits for a host."""
        if peer.is_ready:
            task = asyncio.get_running_loop().create_task(peer.send(request))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        self._closed = True
        self._queue.put_nowait(None)
        self._taken.set()
        await asyncio.gather(*(peer.close() for peer in self.peers), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _notice(peer: Peer, text: str, level: Literal["info", "warning", "error"]) -> Notice:
    return Notice(level=level, text=shortened(f"{peer.name}: {text}"))


def _not_read(answer: type[Programs | Threads], host: str) -> Programs | Threads:
    why = f"{host} is not connected" if host else "shown for one host only: H lists the hosts, . selects one"
    return answer(monotonic_ns=0, boottime_ns=0, error=why, host=host)
