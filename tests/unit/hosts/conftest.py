"""Several hosts as one source, read by a session as the dashboard has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ebpftop.frames.messages import AnyFrame, Hosts, Load, Notice, Processes
from ebpftop.frames.source import Source
from ebpftop.hosts import peer
from ebpftop.hosts.merged import MergedSource
from ebpftop.model.run import Run
from ebpftop.model.session import Session

WAITS = 60.0  # seconds, for what comes at once


@dataclass
class Reader:
    """What a consumer has read so far."""

    source: MergedSource
    session: Session = field(default_factory=Session)
    frames: list[AnyFrame] = field(default_factory=list)
    waiting: int = 0  # the most frames that ever waited to be read

    async def read(self) -> None:
        async for frame in self.source.frames():
            self.waiting = max(self.waiting, self.source._queue.qsize())
            self.session.feed(frame)
            self.frames.append(frame)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAITS):
            while not holds():
                await asyncio.sleep(0.01)

    @property
    def notices(self) -> list[str]:
        return [frame.text for frame in self.frames if isinstance(frame, Notice)]

    @property
    def states(self) -> dict[str, str]:
        return {each.name: each.state for each in self.session.machines.states}

    async def load(self, probe: str, number: int = 1) -> Run:
        await self.source.request(Load(request=number, probe=probe))
        await self.until(lambda: self.session.runs and list(self.session.runs.values())[-1].loaded)
        return list(self.session.runs.values())[-1]

    def people(self) -> set[str]:
        return {each.comm for frame in self.frames if isinstance(frame, Processes) for each in frame.processes}


Read = Callable[[Mapping[str, Source]], AbstractAsyncContextManager[Reader]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """`async with read({"web-1": host, …}) as reader:`, which is there once all hosts are; they come back at once."""
    monkeypatch.setattr(peer, "_PAUSES", (0.01,))

    @asynccontextmanager
    async def reading(hosts: Mapping[str, Source]) -> AsyncIterator[Reader]:
        reader = Reader(MergedSource(hosts))
        task = asyncio.create_task(reader.read())
        try:
            await reader.until(lambda: all(each.is_ready for each in reader.source.peers))
            await reader.until(lambda: any(isinstance(frame, Hosts) for frame in reader.frames))
            yield reader
        finally:
            await reader.source.close()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return reading
