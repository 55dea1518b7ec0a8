"""Between the source and the screens: frames go into the session, requests to the source."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import inf
from time import monotonic, perf_counter, process_time, time
from typing import TYPE_CHECKING

from textual.message import Message

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.marks import MARKS
from ebpftop.frames.messages import (
    AccountRunTimes,
    AnyFrame,
    AnyRequest,
    Catalog,
    Cost,
    Detach,
    Detached,
    Events,
    Hello,
    Host,
    Hosts,
    Load,
    Loaded,
    Loading,
    Mark,
    Notice,
    Processes,
    ProcessFacts,
    Programs,
    Refused,
    Rejected,
    Snapshot,
    Stacks,
    Threads,
    Watch,
)
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.model.ahead import Ahead
from ebpftop.model.machines import away, own_percent
from ebpftop.model.requests import Cause, Requested, Requests, saved
from ebpftop.model.selection import Selection, chosen_cgroup
from ebpftop.model.session import Session
from ebpftop.model.when import When
from ebpftop.ui.feed.comparing import Comparing
from ebpftop.ui.feed.keeping import Keeping
from ebpftop.ui.feed.playback import playback_of
from ebpftop.ui.messages import (
    Began,
    Changed,
    Ended,
    LoadsAgain,
    Noticed,
    PlayAsked,
    WasAccepted,
    WasRefused,
    WasRejected,
    WasReplaced,
    WasStopped,
)

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.model.trigger import Trigger
    from ebpftop.model.watching import Watching

NS = 1e9
COST_SECONDS = 10  # over which our own cost is taken
_AHEAD_SLICE = 0.01  # seconds that reading it takes at once, and as long it rests
_SLICE = 0.005  # seconds of frames, after which the screen and keys have a turn
_SHOWN_PROBLEMS = 3  # problems of a catalog, beside how many more there are


Wanted = tuple[str, dict[str, str]]  # a probe and its parameters


class Feed:
    """`post` takes messages for the screens. As soon as there is a catalog, `first` is loaded and `playbook` opened.

    changed: called after each frame with the run that has new values, or with None and whether people are waiting for
    the news; the machine's load, for instance, can wait. A message for each frame would cost more than the frame
    itself. loads: requests for the steps of that playbook that were sent before the screens existed, so their numbers
    are fixed. watching: for triggers. ended: why the stream is over, empty at the normal end of a tape; None while it
    runs. interval: seconds between snapshots of later loads. statistics: whether the kernel should account the cost of
    programs.
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
        watching: Watching | None = None,
    ) -> None:
        self.source = source
        self.playback = playback_of(source)  # the tape under the stream, if it is one
        self.ahead = Ahead() if self.playback else None  # the past of all of it
        self.session = self.ahead.played() if self.ahead else Session()
        self.when = When()
        self.selection = Selection(processes=self.session.processes)
        self.offering: Callable[[Catalog], Catalog] = lambda catalog: catalog  # what else a catalog is to have
        self.comparing = Comparing(self.session, self.when, lambda: post(Changed()))
        self.requests = Requests(len(loads) + 1)
        self.interval = interval
        self.statistics = True
        self.ended: str | None = None
        self._has_catalog = asyncio.Event()
        self.is_painted = asyncio.Event()  # the first screen; until then a tape isn't read any further than its catalog
        self.described = 0  # frames about processes
        self.programs_read: Callable[[Programs], None] = lambda programs: None  # whoever looks at them sets it
        self.process_read: Callable[[ProcessFacts], None] = lambda facts: None  # the same
        self.threads_read: Callable[[Threads], None] = lambda threads: None  # the same
        self.as_of: float | None = None  # seconds since 1970: all until then is on the screen of a slow terminal
        self._wanted: list[Wanted] = list(first)
        self._playbook, self._loads = playbook, loads
        self._problems: list[str] = []  # of the catalog, as shown
        self.awaited: dict[int, str] = {}  # the probes of requests that have no answer yet, by number
        self._triggers: dict[int, Trigger] = {}  # for probes that are yet to be loaded, by lineage
        self._watched: Watch | None = None  # as the source knows it
        self._lag = inf  # seconds from a frame's time to its arrival, at best: clocks may differ
        self._spent: deque[tuple[float, float]] = deque(maxlen=COST_SECONDS + 1)  # by this process: when, CPU seconds
        self.keeping = Keeping(watching) if source.live else None
        self._set: deque[Mark] = deque(maxlen=MARKS)  # marks that didn't come from the source
        self._post = post
        self._changed = changed

    async def read_ahead(self) -> None:
        """Read the past of a whole tape, in slices, so that keys and the displayed moment don't wait for it."""
        if self.playback is None or self.ahead is None:
            return
        since = monotonic()
        with contextlib.suppress(BadFrame, MemoryError):  # whoever reads the tape from its start says so
            for frame in self.playback.whole():
                self.ahead.feed(frame)
                if (spent := monotonic() - since) > _AHEAD_SLICE:
                    await asyncio.sleep(spent)
                    while self.playback.jumping:
                        await asyncio.sleep(_AHEAD_SLICE)
                    since = monotonic()

    async def read(self) -> None:
        """Feed every frame to the session until the stream ends."""
        self.ended = None
        try:
            rested = perf_counter()
            async for frame in self.source.frames():
                await self._take(frame)
                if self.playback is not None and self.playback.jumping:
                    continue  # half of a state is nothing to draw
                if perf_counter() - rested > _SLICE:  # a source that always has a frame must not starve the screen
                    await asyncio.sleep(0)
                    rested = perf_counter()
            self.ended = ""
        except (SourceEnded, BadFrame) as error:
            self.ended = str(error)
        except MemoryError:
            self.ended = "not enough memory for the data received"
        self.awaited.clear()
        self._post(Ended(self.ended))

    async def catalog_comes(self, seconds: float) -> None:
        """Return once there is a catalog, or this many seconds have passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_catalog.wait(), seconds)

    async def _take(self, frame: AnyFrame) -> None:
        if isinstance(frame, ProcessFacts):  # for whoever looks at that process; no part of any recording
            self.process_read(frame)
            return
        known, before = self.session.catalog, self.session.hello
        if isinstance(frame, Catalog):
            frame = self.offering(frame)
        run = self.session.feed(frame)
        if self.keeping is not None:
            for more in self.keeping.take(frame, run, self.session.processes):
                self._tell(more)
        match frame:
            case Hello():
                for mark in (*(self.playback.marks if self.playback else ()), *self._set):
                    self.session.feed(mark)
                self.selection = self.selection.within(self.session.processes, same=frame == before)
                self.requests.clear()
                self.awaited.clear()
                self._triggers.clear()
                self._lag, self._watched = inf, None
                self._spent.clear()
                self._post(Began())
            case Catalog():
                self._has_catalog.set()
                if self.playback is not None:
                    await self.is_painted.wait()
                self._show_problems(frame.problems)
                await self._begin()
                await self._reload(saved(known, frame))
            case Loading():
                self._answer(frame.request)
            case Loaded() if run is not None:
                self._answer(frame.request)
                requested = self.requests.get(frame.request)
                if requested is not None and (trigger := self._triggers.pop(requested.lineage, None)) is not None:
                    self.watch_for(trigger)
                await self._replace(run)
            case Rejected() if run is not None:
                self._answer(frame.request)
                await asyncio.to_thread(lambda: run.failure)  # a log may be long
                if self.playback is None or not self.playback.jumping:  # else it was shown when it happened
                    self._post(WasRejected(run, self.requests.get(frame.request)))
            case Refused():
                self.awaited.pop(frame.request, None)
                self._post(WasRefused(frame.error, self.requests.get(frame.request)))
            case Detached() if run is not None and frame.reason:
                self._post(WasStopped(run))
            case Notice():
                self._post(Noticed(frame))
            case Threads():
                self.threads_read(frame)
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
            case Hosts():
                if self.session.machines.several:  # whose own loads come in it
                    self._spent.append((monotonic(), process_time()))
                self._changed(None, False)
            case Cost() | Stacks():
                self._changed(None, False)
            case Programs():
                self.programs_read(frame)
            case _:
                self._changed(None, True)

    def _show_problems(self, problems: list[str]) -> None:
        """Report unreadable probe folders, once: the catalog is sent again when more is known of its probes."""
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
        """The catalog has arrived: load what is wanted."""
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
        if self.awaited.pop(request, None) is not None:
            self._post(WasAccepted(request))

    async def _reload(self, probes: set[str]) -> None:
        """Reload probes whose files were saved; running ones go on until the new version is attached."""
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
    def still(self) -> bool:
        """Whether nothing new is shown: the span is frozen, or the tape paused."""
        return self.when.still or (self.playback is not None and self.playback.paused)

    @property
    def over(self) -> bool:
        """Whether the collector is gone, and with it all attachments. The end of a tape changes nothing."""
        return bool(self.ended) and self.source.live

    @property
    def behind(self) -> float:
        """How many seconds the session is late: the machine's load should have arrived since."""
        hosts = self.session.hosts
        if not self.source.live or self.ended is not None or not hosts:
            return 0.0
        return max(0.0, time() - hosts[-1].realtime_ns / NS - self._lag - 1.0)

    @property
    def own_percent(self) -> float | None:
        """Percent of one CPU that ebpftop itself takes: collector and root side of all hosts that report it, and this
        process if live. None while unknown. A tape holds the recorded value.
        """
        gone = away(gap for gap in self.session.machines.gaps if gap.run is None)
        found = [
            own_percent([*loads][-COST_SECONDS - 1 :]) for host, loads in self.session.loads.items() if host not in gone
        ]
        known = [each for each in found if each is not None]
        if not known:
            return None
        used = sum(known)
        if self.source.live and self._spent:
            (began, before), (now, after) = self._spent[0], self._spent[-1]
            used += 100 * (after - before) / max(now - began, 1e-3)
        return used

    async def load(
        self, probe: str, params: dict[str, str], by: Cause = "user", *, number: int = 0, when: Trigger | None = None
    ) -> int:
        """Request a load. Returns the request's number, which is the lineage of all its versions. when: a trigger to
        watch for once one of them is attached.
        """
        requested = self.requests.new(probe, params, by, number=number)
        if when is not None:
            self._triggers[requested.lineage] = when
        await self._load(requested)
        return requested.number

    async def _load(self, requested: Requested) -> None:
        self.awaited[requested.number] = requested.probe
        await self.request(
            Load(request=requested.number, probe=requested.probe, params=requested.params, interval=self.interval)
        )

    def close(self) -> None:
        """End the tapes that are being written."""
        if self.keeping is not None:
            self.keeping.close()

    async def request(self, request: AnyRequest) -> None:
        """Send a request; if it can't be granted, show a notice."""
        try:
            await self.source.request(request)
        except (ReadOnly, SourceEnded) as error:
            if isinstance(request, Load):
                self.awaited.pop(request.request, None)
            self._post(Noticed(Notice(level="warning", text=str(error))))

    def mark(self, mark: Mark) -> None:
        """A mark that doesn't come from the source."""
        self._show_mark(mark)
        if self.keeping is not None:
            for more in self.keeping.take(mark, None, self.session.processes):
                self._tell(more)

    def watch_for(self, trigger: Trigger) -> None:
        """Watch for a trigger, including on probes loaded later."""
        if self.keeping is not None:
            for more in self.keeping.watch(trigger, self.session.runs.values()):
                self._tell(more)

    def _tell(self, found: Mark | Notice) -> None:
        """What watching found."""
        if isinstance(found, Mark):
            self._show_mark(found)
            found = Notice(level="warning", text=found.text)
        self._post(Noticed(found))

    def _show_mark(self, mark: Mark) -> None:
        self._set.append(mark)
        self.session.feed(mark)
        self._changed(None, True)

    async def watch(self, in_sight: Callable[[Run], bool]) -> None:
        """Tell the source which runs are visible, because it may be late with events of others, and which cgroup's
        pressure is wanted.
        """
        with_events = [run for run in self.session.runs.values() if run.events]
        wanted = Watch(
            runs=sorted(run.id for run in with_events if in_sight(run)), cgroup=chosen_cgroup(self.selection)
        )
        if wanted == self._watched or not (with_events or wanted.cgroup or self._watched):
            return
        if self.source.live and self.ended is None:
            self._watched = wanted
            await self.request(wanted)

    async def restart(self) -> None:
        """Restart the source and reload the probes that ran. Raises `ReadOnly`, `SourceEnded`."""
        self._wanted = [
            (run.probe, run.params) for run in self.session.runs.values() if run.state in ("loading", "running")
        ]
        await self.source.restart()
