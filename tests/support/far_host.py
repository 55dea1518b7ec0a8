"""A host that a test simulates: a source that can be disconnected and comes back, with clocks of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable

from ebpftop.frames.messages import AnyFrame, AnyRequest, Catalog, Load, Ping, Pong
from ebpftop.frames.source import Source, SourceEnded
from tests.support.frames import answering, hello, loaded

NOT = SourceEnded("nobody is there")


class FarHost(Source):
    """answer: its response to a load; without one, the probe is loaded with its views. ahead_ns: of its clocks.

    requests: the received requests, except heartbeats.
    """

    can_restart = True

    def __init__(
        self,
        catalog: Catalog,
        *,
        name: str = "",
        ahead_ns: int = 0,
        answer: Callable[[Load], Iterable[AnyFrame]] | None = None,
    ) -> None:
        self._name = name or f"host-{id(self)}"
        self.requests: list[AnyRequest] = []
        self.connections = 0
        self._catalog, self._ahead, self._answer = catalog, ahead_ns, answer
        self._queue: asyncio.Queue[AnyFrame | Exception] = asyncio.Queue()
        self._runs = 40

    async def frames(self) -> AsyncIterator[AnyFrame]:
        self.connections += 1
        self._queue = asyncio.Queue()
        self.play(hello(host=self._name), self._catalog)
        while True:
            frame = await self._queue.get()
            if isinstance(frame, Exception):
                raise frame
            yield frame

    def play(self, *frames: AnyFrame) -> None:
        for frame in frames:
            self._queue.put_nowait(frame)

    def cut(self, reason: str = "it was cut off") -> None:
        self._queue.put_nowait(SourceEnded(reason))

    @property
    def run(self) -> int:
        """The number that it assigned to the last run."""
        return self._runs

    async def request(self, request: AnyRequest) -> None:
        match request:
            case Ping():
                self.play(
                    Pong(
                        number=request.number,
                        realtime_ns=time.time_ns() + self._ahead,
                        monotonic_ns=time.monotonic_ns() + self._ahead,
                        boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self._ahead,
                    )
                )
                return
            case Load():
                self._runs += 1
                views = next(probe.views for probe in self._catalog.probes if probe.id == request.probe)
                frames = [loaded(self._runs, request.probe, *views)] if self._answer is None else self._answer(request)
                self.play(*(answering(frame, request.request) for frame in frames))
        self.requests.append(request)

    async def restart(self) -> None:
        """Let `frames` begin again."""

    async def close(self) -> None:
        self.cut("closed")
