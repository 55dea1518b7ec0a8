"""Attaches probes for a while, for every consumer without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Sequence

from ebpftop.frames.local import SILENCE, STARTING
from ebpftop.frames.messages import AnyFrame, Detach, Detached, Hosts, Load, Loaded, Notice, Refused, Rejected
from ebpftop.frames.source import Source, SourceEnded, unwatched

_ANSWER = 1.0  # seconds that the end is waited for even so
_STEP = 0.25  # seconds


class _Limit:
    """How long to wait for data, which comes every second: `SILENCE`, at first `STARTING`. `duration`: seconds for
    which the probes run; None: no limit before `ends`. It is counted in steps, so a time in which this process was
    stopped, or waited for whoever reads its output, hardly counts.
    """

    def __init__(self, duration: float | None) -> None:
        self._more, self._heard = math.inf if duration is None else duration, time.monotonic()
        self._left = STARTING + self._more
        self._passing = asyncio.create_task(self._pass())

    async def _pass(self) -> None:
        while self._left > 0:
            await asyncio.sleep(_STEP)
            self._left -= _STEP

    @property
    def quiet(self) -> float:
        """Seconds since the last data."""
        return time.monotonic() - self._heard

    def heard(self) -> None:
        """There was data."""
        self._heard, self._left = time.monotonic(), SILENCE + self._more

    def ends(self) -> None:
        """From now on the probes are to be detached."""
        self._more, self._left = 0.0, max(_ANSWER, SILENCE - self.quiet)

    async def frames(self, source: Source) -> AsyncIterator[AnyFrame]:
        """The source's frames. Raises what `Source.frames` raises, and `SourceEnded` if none comes in time."""
        frames = source.frames()
        try:
            while True:
                receiving = asyncio.create_task(_next(frames))
                try:
                    await asyncio.wait((receiving, self._passing), return_when=asyncio.FIRST_COMPLETED)
                    if not receiving.done():
                        why = "no answer from the collector, which is stopped or hangs"
                        raise SourceEnded(f"{why}: the last data is {self.quiet:.0f} s old")
                    frame = receiving.result()
                finally:
                    receiving.cancel()
                if frame is None:
                    return
                yield frame
        finally:
            self._passing.cancel()


async def _next(frames: AsyncIterator[AnyFrame]) -> AnyFrame | None:
    return await anext(frames, None)


async def attached(
    source: Source, loads: Sequence[Load], *, duration: float | None, stop: asyncio.Event
) -> AsyncIterator[AnyFrame]:
    """Load the probes and yield all frames until each probe is detached, rejected or refused.

    They are detached when `stop` is set, or `duration` seconds after the last answer; loads that are then still under
    way are not waited for. Raises what `Source.frames` and `Source.request` raise, and `SourceEnded` if no data comes
    any more when it should end, or if every host is lost then, or before anything was attached: such hosts would be
    tried for ever.
    """
    waiting = {load.request for load in loads}
    running: set[int] = set()
    answered = asyncio.Event()
    lost = 0  # hosts, if it is all of them
    for load in loads:
        await source.request(load)
    limit = _Limit(duration)
    ending = asyncio.create_task(_end(source, running, answered, duration, stop, limit))
    try:
        async for frame in limit.frames(source):
            match frame:
                case Loaded():
                    waiting.discard(frame.request)
                    if not stop.is_set():
                        running.add(frame.run)
                case Rejected() | Refused():
                    waiting.discard(frame.request)
                case Detached():
                    running.discard(frame.run)
                case Hosts():
                    lost = len(frame.hosts) if all(each.state == "lost" for each in frame.hosts) else 0
                    if lost and len(waiting) == len(loads):
                        raise SourceEnded(unwatched(lost))
            yield frame
            if not isinstance(frame, Notice | Hosts):  # those may come from this side
                limit.heard()
            if not waiting:
                answered.set()
            if not running and (not waiting or stop.is_set()):  # frames about the host never stop
                if lost:
                    raise SourceEnded(unwatched(lost))
                return
    finally:
        ending.cancel()


async def _end(
    source: Source,
    running: set[int],
    answered: asyncio.Event,
    duration: float | None,
    stop: asyncio.Event,
    limit: _Limit,
) -> None:
    """Wait until the probes should be detached, and request that."""
    stopped = asyncio.create_task(stop.wait())
    all_answered = asyncio.create_task(answered.wait())
    await asyncio.wait((stopped, all_answered), return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait((stopped,), timeout=duration)
    limit.ends()
    with contextlib.suppress(SourceEnded):  # `frames` raises it as well
        for run in sorted(running):
            await source.request(Detach(run=run))
