"""A source that a test controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from ebpftop.frames.messages import AnyFrame, AnyRequest
from ebpftop.frames.source import ReadOnly, Source, SourceEnded

Answer = Callable[[AnyRequest], Iterable[AnyFrame]]


class Script(Source):
    """`play` queues frames, `end` ends the stream; `requests` records requests, `answer` returns frames for one."""

    def __init__(
        self,
        frames: Iterable[AnyFrame] = (),
        *,
        live: bool = True,
        can_restart: bool = False,
        answer: Answer = lambda request: (),
    ) -> None:
        self.live = live
        self.can_restart = can_restart
        self.requests: list[AnyRequest] = []
        self.restarts = 0
        self.closed = False
        self._answer = answer
        self._queue: asyncio.Queue[AnyFrame | Exception | None] = asyncio.Queue()
        self.play(*frames)

    def play(self, *frames: AnyFrame) -> None:
        for frame in frames:
            self._queue.put_nowait(frame)

    def end(self, reason: str | None = None) -> None:
        """End the stream quietly, or with `SourceEnded` and a reason."""
        self._queue.put_nowait(None if reason is None else SourceEnded(reason))

    async def frames(self) -> AsyncIterator[AnyFrame]:
        while (frame := await self._queue.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame

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
