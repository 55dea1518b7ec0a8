"""Attaches probes for a while, for every consumer without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from ebpftop.frames.local import SILENCE, STARTING
from ebpftop.frames.messages import AnyFrame, Detach, Detached, Hosts, Load, Loaded, Notice, Refused, Rejected
from ebpftop.frames.source import Source, SourceEnded, unwatched

_ANSWER = 1.0  # seconds that the end is waited for even so


class _Limit:
    """How long to wait for data, which comes every second: `SILENCE`, at first `STARTING`. `duration`: seconds for
    which the probes run; None: no limit before `ends`.
    """

    def __init__(self, duration: float | None) -> None:
        self._more, self._heard = duration, time.monotonic()
        self.timeout = asyncio.timeout(None if duration is None else STARTING + duration)

    @property
    def quiet(self) -> float:
        """Seconds since the last data."""
        return time.monotonic() - self._heard

    def heard(self) -> None:
        """There was data."""
        self._heard = time.monotonic()
        if self._more is not None:
            self._wait(SILENCE + self._more)

    def ends(self) -> None:
        """From now on the probes are to be detached."""
        self._more = 0.0
        self._wait(max(_ANSWER, SILENCE - self.quiet))

    def _wait(self, seconds: float) -> None:
        if not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time() + seconds)


async def attached(
    source: Source, loads: Sequence[Load], *, duration: float | None, stop: asyncio.Event
) -> AsyncIterator[AnyFrame]:
    """Load the probes and yield all frames until each probe is detached, rejected or refused.

    They are detached when `stop` is set, or `duration` seconds after the last answer; loads that are then still under
    way are not waited for. Raises what `Source.frames` and `Source.request` raise, and `SourceEnded` if no data comes
    any more when it should end, or if every host was lost before anything was attached: such hosts would be tried for
    ever.
    """
    waiting = {load.request for load in loads}
    running: set[int] = set()
    answered = asyncio.Event()
    for load in loads:
        await source.request(load)
    limit = _Limit(duration)
    try:
        async with limit.timeout:
            ending = asyncio.create_task(_end(source, running, answered, duration, stop, limit))
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
                        case Hosts() if len(waiting) == len(loads) and all(
                            each.state == "lost" for each in frame.hosts
                        ):
                            raise SourceEnded(unwatched(len(frame.hosts)))
                    yield frame
                    if not isinstance(frame, Notice | Hosts):  # those may come from this side
                        limit.heard()
                    if not waiting:
                        answered.set()
                    if not running and (not waiting or stop.is_set()):  # frames about the host never stop
                        return
            finally:
                ending.cancel()
    except TimeoutError:
        raise SourceEnded(
            f"no answer from the collector, which is stopped or hangs: the last data is {limit.quiet:.0f} s old"
        ) from None


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
