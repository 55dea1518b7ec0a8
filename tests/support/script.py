"""A source that a test controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from ebpftop.frames.messages import Answer, AnyFrame, AnyRequest, Load
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from tests.support.frames import answering

Answers = Callable[[AnyRequest], Iterable[AnyFrame]]


class Script(Source):
    """`play` queues frames, `end` ends the stream; `requests` records requests, `answer` returns frames for one."""

    def __init__(
        self,
        frames: Iterable[AnyFrame] = (),
        *,
        live: bool = True,
        can_restart: bool = False,
        answer: Answers = lambda request: (),
    ) -> None:
        self.live = live
        self.can_restart = can_restart
        self.requests: list[AnyRequest] = []
        self.restarts = 0
        self.closed = False
        self._reading, self._left = False, 0  # frames and ends that were not taken yet
        self._answer = answer
        self._answers: dict[int, int] = {}  # requests, by run
        self._queue: asyncio.Queue[AnyFrame | Exception | None] = asyncio.Queue()
        self.play(*frames)

    def play(self, *frames: AnyFrame) -> None:
        """Queue frames. Requested loads get the numbers of their requests, oldest first, as from a collector."""
        for frame in frames:
            self._queue.put_nowait(self._numbered(frame))
            self._left += 1

    def _numbered(self, frame: AnyFrame) -> AnyFrame:
        if not isinstance(frame, Answer) or frame.request:
            return frame
        if frame.run not in self._answers:
            what = (frame.probe, frame.params)
            waiting = [
                load.request for load in self.requests if isinstance(load, Load) and (load.probe, load.params) == what
            ]
            free = [number for number in waiting if number not in self._answers.values()]
            self._answers[frame.run] = free[0] if free else 0
        return answering(frame, self._answers[frame.run])

    async def taken(self) -> None:
        """Return once all queued frames have been taken, or nobody reads any more."""
        while self._reading and self._left:
            await asyncio.sleep(0.001)

    def end(self, reason: str | None = None) -> None:
        """End the stream quietly, or with `SourceEnded` and a reason."""
        self._queue.put_nowait(None if reason is None else SourceEnded(reason))
        self._left += 1

    async def frames(self) -> AsyncIterator[AnyFrame]:
        self._reading = True
        try:
            while (frame := await self._queue.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                yield frame
                self._left -= 1
        except SourceEnded:
            self._left -= 1
            raise
        else:
            self._left -= 1
        finally:
            self._reading = False

    async def request(self, request: AnyRequest) -> None:
        if not self.live:
            raise ReadOnly("a tape can't load or detach probes")
        self.requests.append(request)
        self.play(*self._answer(request))

    async def restart(self) -> None:
        if not self.can_restart:
            raise ReadOnly("this source cannot be restarted")
        self.restarts += 1

    async def close(self) -> None:
        self.closed = True
        self.end()
