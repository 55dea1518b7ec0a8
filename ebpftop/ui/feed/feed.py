"""Between the source and the screens: frames go into the session, requests to the source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from textual.message import Message

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import (
    AccountRunTimes,
    AnyFrame,
    AnyRequest,
    Catalog,
    Detach,
    Hello,
    Load,
    Loaded,
    Loading,
    Notice,
    Refused,
    Rejected,
)
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.model.session import Session
from ebpftop.ui.feed.reloads import Wanted, replaced, saved, to_load_again
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
)

_TOLD = 3  # problems of a catalog, beside how many more there are


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


class Feed:
    """`post` takes messages for the screens; `first` is loaded, and `playbook` opened, as soon as there is a catalog.

    ended: why the stream is over, empty at the quiet end of a tape; None while it runs. interval: seconds between
    snapshots of whatever is loaded next. statistics: whether the kernel is asked to count what programs cost.
    """

    def __init__(
        self,
        source: Source,
        post: Callable[[Message], object],
        *,
        interval: float,
        first: Iterable[Wanted],
        playbook: str = "",
    ) -> None:
        self.source = source
        self.session = Session()
        self.interval = interval
        self.statistics = True
        self.ended: str | None = None
        self._wanted: list[Wanted] = list(first)
        self._playbook = playbook
        self._problems: list[str] = []  # of the catalog, as told
        self._asked: list[Wanted] = []  # requested, not yet answered by a frame
        self._mine: set[int] = set()  # runs that answer them
        self._asked_again: list[Wanted] = []  # requested as their files were saved, not yet answered
        self._again: set[int] = set()  # runs that answer these
        self._post = post

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
        self.session.feed(frame)
        match frame:
            case Hello():
                for answered in (self._asked, self._mine, self._asked_again, self._again):
                    answered.clear()
                self._post(Began())
            case Catalog():
                self._tell_problems(frame.problems)
                await self._begin()
                await self._load_again(saved(known, frame))
            case Loading():
                self._answers(frame)
            case Loaded():
                self._answers(frame)
                await self._replace(frame)
            case Rejected():
                self._answers(frame)
                self._post(WasRejected(frame, asked=frame.run in self._mine, again=frame.run in self._again))
            case Refused():
                refused = (frame.probe, frame.params)
                self._asked = [asked for asked in self._asked if asked != refused]
                self._asked_again = [asked for asked in self._asked_again if asked != refused]
                self._post(WasRefused(frame))
            case Notice():
                self._post(Noticed(frame))
        self._post(Changed())

    def _tell_problems(self, problems: list[str]) -> None:
        """Probe folders that could not be read, once; a catalog comes again when more is known of its probes."""
        if problems != self._problems:
            self._problems = problems
            more = [f"and {len(problems) - _TOLD} more: 'ebpftop list' tells them"] if len(problems) > _TOLD else []
            for text in (*problems[:_TOLD], *more):
                self._post(Noticed(Notice(level="warning", text=text)))

    async def _begin(self) -> None:
        """A catalog is there: load what is wanted."""
        wanted, self._wanted = self._wanted, []
        if self.source.live and self.statistics:
            await self.request(AccountRunTimes(on=True))
        for probe, params in wanted:
            await self.load(probe, params)
        if self._playbook:
            self._post(PlayAsked(self._playbook))
            self._playbook = ""

    def _answers(self, frame: Loading | Loaded | Rejected) -> None:
        """The first frame of a run tells that the request it was granted."""
        if (asked := (frame.probe, frame.params)) in self._asked:
            self._asked.remove(asked)
            self._mine.add(frame.run)
            self._post(WasAccepted(*asked))
        elif asked in self._asked_again:
            self._asked_again.remove(asked)
            self._again.add(frame.run)

    async def _load_again(self, probes: set[str]) -> None:
        """Their files were saved: what runs of them goes on until the new version is attached."""
        for probe, params in to_load_again(probes, self.session.runs.values()):
            self._asked_again.append((probe, params))
            self._post(LoadsAgain(probe, params))
            await self.request(Load(probe=probe, params=params, interval=self.interval))

    async def _replace(self, frame: Loaded) -> None:
        old = replaced(frame, self._again, self.session.runs)
        for run in old:
            await self.request(Detach(run=run))
        if frame.run in self._again:
            self._post(WasReplaced(frame, old))

    def is_mine(self, run: int) -> bool:
        """Whether this user asked for the run."""
        return run in self._mine

    @property
    def over(self) -> bool:
        """Whether the collector is gone; what was attached is not any more. A tape's end leaves all as it was."""
        return bool(self.ended) and self.source.live

    @property
    def playback(self) -> Playback | None:
        """The tape under the stream, if it is one."""
        return self.source if isinstance(self.source, Playback) else None

    async def load(self, probe: str, params: dict[str, str]) -> None:
        self._asked.append((probe, params))
        await self.request(Load(probe=probe, params=params, interval=self.interval))

    async def request(self, request: AnyRequest) -> None:
        """Send a request; one that can't be granted is told as a notice."""
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
