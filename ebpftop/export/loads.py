"""Loading and detaching probes, for all consumers without a screen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from ebpftop.frames.messages import AnyFrame, Detach, Detached, Load, Loaded, Refused, Rejected
from ebpftop.frames.source import Source, SourceEnded

Request = tuple[str, dict[str, str]]  # a probe's id and its parameters as typed


async def attached(
    source: Source, requests: Sequence[Request], *, interval: float, duration: float | None, stop: asyncio.Event
) -> AsyncIterator[AnyFrame]:
    """Load the probes and yield all frames until each probe is detached, rejected or refused.

    They are detached when `stop` is set, or `duration` seconds after the last load has finished; after `stop`, pending
    loads are not awaited. `interval` is seconds between snapshots. Raises what `Source.frames` and `Source.request`
    raise.
    """
    waiting = len(requests)
    running: set[int] = set()
    answered = asyncio.Event()
    for probe, params in requests:
        await source.request(Load(probe=probe, params=params, interval=interval))
    ending = asyncio.create_task(_end(source, running, answered, duration, stop))
    try:
        async for frame in source.frames():
            match frame:
                case Loaded():
                    waiting -= 1
                    if not stop.is_set():
                        running.add(frame.run)
                case Rejected() | Refused():
                    waiting -= 1
                case Detached():
                    running.discard(frame.run)
            yield frame
            if waiting <= 0:
                answered.set()
            if not running and (waiting <= 0 or stop.is_set()):  # `Host` frames arrive every second
                return
    finally:
        ending.cancel()


async def _end(
    source: Source, running: set[int], answered: asyncio.Event, duration: float | None, stop: asyncio.Event
) -> None:
    """Wait until the probes should be detached, and request that."""
    stopped = asyncio.create_task(stop.wait())
    all_answered = asyncio.create_task(answered.wait())
    await asyncio.wait((stopped, all_answered), return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait((stopped,), timeout=duration)
    with contextlib.suppress(SourceEnded):  # `frames` raises it as well
        for run in sorted(running):
            await source.request(Detach(run=run))
