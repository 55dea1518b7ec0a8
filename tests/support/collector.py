"""A source that answers requests like a collector, with frames that a test provides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from ebpftop.frames.messages import AnyFrame, AnyRequest, Detach, Load
from ebpftop.frames.source import Source, SourceEnded
from tests.support.frames import answering


class Scripted(Source):
    """Sends `on_load` and `on_detach` after the request; calls `after_load` once `on_load` has been consumed.

    With `ends`, the stream fails after `on_load`.
    """

    def __init__(
        self,
        on_load: Sequence[AnyFrame] | Callable[[Load], Sequence[AnyFrame]],
        on_detach: Sequence[AnyFrame] = (),
        *,
        after_load: Callable[[], None] = lambda: None,
        ends: bool = False,
    ) -> None:
        self.requests: list[AnyRequest] = []
        self.closed = False
        self._on_load, self._on_detach = on_load, list(on_detach)
        self._after_load, self._ends = after_load, ends
        self._frames: asyncio.Queue[AnyFrame | Callable[[], None] | None] = asyncio.Queue()

    async def frames(self) -> AsyncIterator[AnyFrame]:
        while not self.closed:
            frame = await self._frames.get()
            if frame is None:
                raise SourceEnded("the collector has ended")
            if callable(frame):
                frame()
            else:
                yield frame

    async def request(self, request: AnyRequest) -> None:
        self.requests.append(request)
        match request:
            case Load():
                told = self._on_load(request) if callable(self._on_load) else self._on_load
                for frame in told:
                    self._frames.put_nowait(answering(frame, request.request))
                self._frames.put_nowait(None if self._ends else self._after_load)
            case Detach():
                for frame in self._on_detach:
                    if getattr(frame, "run", request.run) == request.run:
                        self._frames.put_nowait(frame)

    async def close(self) -> None:
        self.closed = True
