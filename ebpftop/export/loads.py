"""Attaches probes for a while, for every consumer without a screen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from ebpftop.frames.messages import AnyFrame, Detach, Detached, Hosts, Load, Loaded, Refused, Rejected
from ebpftop.frames.source import Source, SourceEnded, unwatched


async def attached(
    source: Source, loads: Sequence[Load], *, duration: float | None, stop: asyncio.Event
) -> AsyncIterator[AnyFrame]:
    """Load the probes and yield all frames until each probe is detached, rejected or refused.

    They are detached when `stop` is set, or `duration` seconds after the last answer; loads that are then still under
    way are not waited for. Raises what `Source.frames` and `Source.request` raise, and `SourceEnded` if every host was
    lost before anything was attached: such hosts would be tried for ever.
    """
    waiting = {load.request for load in loads}
    running: set[int] = set()
    answered = asyncio.Event()
    for load in loads:
        await source.request(load)
    ending = asyncio.create_task(_end(source, running, answered, duration, stop))
    try:
        async for frame in source.frames():
            match frame:
                case Loaded():
                    waiting.discard(frame.request)
                    if not stop.is_set():
                        running.add(frame.run)
                case Rejected() | Refused():
                    waiting.discard(frame.request)
                case Detached():
                    running.discard(frame.run)
                case Hosts() if len(waiting) == len(loads) and all(host.state == "lost" for host in frame.hosts):
                    raise SourceEnded(unwatched(len(frame.hosts)))
            yield frame
            if not waiting:
                answered.set()
            if not running and (not waiting or stop.is_set()):  # frames about the host never stop
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
