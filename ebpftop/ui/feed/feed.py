"""Between the source and the screens: frames go into the session, requests to the source."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import inf
from time import monotonic, process_time, time
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.message import Message

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import (
    AccountRunTimes,
    AnyFrame,
    AnyRequest,
    Catalog,
    Cost,
    Detach,
    Events,
    Hello,
    Host,
    Load,
    Loaded,
    Loading,
    Notice,
    Processes,
    Refused,
    Rejected,
    Snapshot,
    Stacks,
)
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.model.requests import Cause, Requested, Requests, saved
from ebpftop.model.session import Session
from ebpftop.ui.messages import (
    Began,
    Ended,
    LoadsAgain,
    Noticed,
    PlayAsked,
    WasAccepted,
    WasRefused,
    WasRejected,
    WasReplaced,
)

if TYPE_CHECKING:
    from ebpftop.model.run import Run

NS = 1e9
COST_SECONDS = 10  # over which our own cost is taken
_SHOWN_PROBLEMS = 3  # problems of a catalog, beside how many more there are


@runtime_checkable
class Playback(Protocol):
    """A source that can stand still and go elsewhere: a tape. Positions are seconds from its first frame."""

    paused: bool
    speed: float

    @property
    def position(self) -> float: ...

    @property
    def duration(self) -> float: ...

    def seek(self, seconds: float) -> None: ...


Wanted = tuple[str, dict[str, str]]  # a probe and its parameters


class Feed:
    """`post` takes messages for the screens; `first` is loaded, and `playbook` opened, as soon as there is a catalog.

    changed: called after each frame with the run that has new values, or with None and whether people wait for what is
    new; the machine's load, for instance, can wait. A message for each frame would cost more than the frame itself.
    loads: requests for the steps of that playbook, begun before the screens, so their numbers are fixed.
    ended: why the stream is over, empty at the quiet end of a tape; None while it runs. interval: seconds between
    snapshots of whatever is loaded next. statistics: whether the kernel should count what programs cost.
    """

    def __init__(
        self,
        source: Source,
        post: Callable[[Message], object],
        changed: Callable[[Run | None, bool], None],
        *,
        interval: float,
        first: Iterable[Wanted],
        playbook: str = "",
        loads: Sequence[Load] = (),
    ) -> None:
        self.source = source
        self.session = Session()
        self.requests = Requests(len(loads) + 1)
        self.interval = interval
        self.statistics = True
        self.ended: str | None = None
        self.described = 0  # frames about processes
        self._wanted: list[Wanted] = list(first)
        self._playbook, self._loads = playbook, loads
        self._problems: list[str] = []  # of the catalog, as shown
        self._answered: set[int] = set()  # requests that were granted
        self._lag = inf  # seconds from a frame's time to its arrival, at best: clocks may differ
        self._spent: deque[tuple[float, float]] = deque(maxlen=COST_SECONDS + 1)  # by this process: when, CPU seconds
        self._post = post
        self._changed = changed
        self.playback = source if isinstance(source, Playback) else None  # the tape under the stream, if it is one

    async def read(self) -> None:
        """Feed every frame to the session until the stream ends."""
        self.ended = None
        try:
            async for frame in self.source.frames():
                await self._take(frame)
                await asyncio.sleep(0)  # a source that always has a frame ready must not starve the screen
            self.ended = ""
        except (SourceEnded, BadFrame) as error:
            self.ended = str(error)
        except MemoryError:
            self.ended = "what came takes more memory than there is"
        self._post(Ended(self.ended))

    async def _take(self, frame: AnyFrame) -> None:
        known = self.session.catalog
        run = self.session.feed(frame)
        match frame:
            case Hello():
                self.requests.clear()
                self._lag = inf
                self._spent.clear()
                self._post(Began())
            case Catalog():
                self._show_problems(frame.problems)
                await self._begin()
                await self._reload(saved(known, frame))
            case Loading():
                self._answer(frame.request)
            case Loaded() if run is not None:
                self._answer(frame.request)
                await self._replace(run)
            case Rejected() if run is not None:
                self._answer(frame.request)
                await asyncio.to_thread(lambda: run.failure)  # a log may be long
                self._post(WasRejected(run, self.requests.get(frame.request)))
            case Refused():
                self._post(WasRefused(frame.error, self.requests.get(frame.request)))
            case Notice():
                self._post(Noticed(frame))
        match frame:
            case Snapshot() | Events():
                if run is not None:
                    self._changed(run, False)
            case Host():
                self._lag = min(self._lag, time() - frame.realtime_ns / NS)
                self._spent.append((monotonic(), process_time()))
                self._changed(None, False)
            case Processes():
                self.described += 1
                self._changed(None, False)
            case Cost() | Stacks():
                self._changed(None, False)
            case _:
                self._changed(None, True)

    def _show_problems(self, problems: list[str]) -> None:
        """Probe folders that could not be read, once; a catalog comes again when more is known of its probes."""
        if problems != self._problems:
            self._problems = problems
            more = (
                [f"and {len(problems) - _SHOWN_PROBLEMS} more: 'ebpftop list' shows them"]
                if len(problems) > _SHOWN_PROBLEMS
                else []
            )
            for text in (*problems[:_SHOWN_PROBLEMS], *more):
                self._post(Noticed(Notice(level="warning", text=text)))

    async def _begin(self) -> None:
        """A catalog is there: load what is wanted."""
        wanted, self._wanted = self._wanted, []
        if self.source.live and self.statistics:
            await self.request(AccountRunTimes(on=True))
        for probe, params in wanted:
            await self.load(probe, params)
        if self._playbook:
            self._post(PlayAsked(self._playbook, self._loads))
            self._playbook, self._loads = "", ()

    def _answer(self, request: int) -> None:
        """The first answer to a request shows that it was granted."""
        if request not in self._answered and self.requests.get(request):
            self._answered.add(request)
            self._post(WasAccepted(request))

    async def _reload(self, probes: set[str]) -> None:
        """Load probes again whose files were saved; running ones go on until the new version is attached."""
        for each in self.requests.to_reload(probes, self.session.runs.values()):
            self._post(LoadsAgain(each.lineage))
            await self._load(self.requests.new(each.probe, each.params, "save", lineage=each.lineage))

    async def _replace(self, run: Run) -> None:
        old = self.requests.replaced(run, self.session.runs)
        for number in old:
            await self.request(Detach(run=number))
        requested = self.requests.get(run.request)
        if requested is not None and requested.by == "save":
            self._post(WasReplaced(run, old, requested.lineage))

    def is_mine(self, run: int) -> bool:
        """Whether the user chose this run by itself."""
        there = self.session.runs.get(run)
        requested = self.requests.get(there.request) if there else None
        return requested is not None and requested.by == "user"

    def runs_of(self, lineage: int) -> list[Run]:
        """All versions of what one request loads, oldest first."""
        return self.requests.runs(lineage, self.session.runs.values())

    @property
    def over(self) -> bool:
        """Whether the collector is gone; what was attached is not any more. A tape's end leaves all as it was."""
        return bool(self.ended) and self.source.live

    @property
    def behind(self) -> float:
        """Seconds by which the session is late: the machine's load should have come since."""
        hosts = self.session.hosts
        if not self.source.live or self.ended is not None or not hosts:
            return 0.0
        return max(0.0, time() - hosts[-1].realtime_ns / NS - self._lag - 1.0)

    @property
    def own_percent(self) -> float | None:
        """Percent of one CPU that ebpftop itself takes: collector and root side, and live this process as well. None
        while that isn't known. A tape holds what was recorded.
        """
        hosts = list(self.session.hosts)[-COST_SECONDS - 1 :]
        if len(hosts) < 2 or hosts[0].own_ns is None or hosts[-1].own_ns is None:
            return None
        passed = hosts[-1].realtime_ns - hosts[0].realtime_ns
        used = 100 * max(0, hosts[-1].own_ns - hosts[0].own_ns) / passed
        if self.source.live:
            (began, before), (now, after) = self._spent[0], self._spent[-1]
            used += 100 * (after - before) / max(now - began, 1e-3)
        return used

    async def load(self, probe: str, params: dict[str, str], by: Cause = "user", *, number: int = 0) -> int:
        """Request a load; the number of the request, which is the lineage of all its versions."""
        requested = self.requests.new(probe, params, by, number=number)
        await self._load(requested)
        return requested.number

    async def _load(self, requested: Requested) -> None:
        await self.request(
            Load(request=requested.number, probe=requested.probe, params=requested.params, interval=self.interval)
        )

    async def request(self, request: AnyRequest) -> None:
        """Send a request; one that can't be granted is shown as a notice."""
        try:
            await self.source.request(request)
        except (ReadOnly, SourceEnded) as error:
            self._post(Noticed(Notice(level="warning", text=str(error))))

    async def restart(self) -> None:
        """Bring the source back; the probes that ran are loaded again. Raises `ReadOnly`, `SourceEnded`."""
        self._wanted = [
            (run.probe, run.params) for run in self.session.runs.values() if run.state in ("loading", "running")
        ]
        await self.source.restart()
