"""A tape as a source: it plays in real time, faster or slower, and can be paused and sought in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ebpftop.frames.messages import AnyFrame, AnyRequest, Hello, Mark
from ebpftop.frames.recall import Recall
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape

if TYPE_CHECKING:
    from ebpftop.frames.overview import Outline

HOSTS = 12  # the machine's last loads that are sent again after a seek


class TapeSource(Source):
    """`frames` ends at the tape's end, with `SourceEnded` if it is damaged; after a `seek` it can be called again.

    After a seek the stream restarts with a `Hello`, followed by the state at that time. That takes as long as reading
    one key and the frames from there to that time. Earlier frames aren't sent: `whole` has them. Opening raises
    `BadTape` if nothing can be read, and `OSError`.
    """

    live = False

    def __init__(self, path: Path, *, speed: float = 1.0, paused: bool = False) -> None:
        self.path = path
        self._reader = TapeReader(path)
        self._records: Iterator[tuple[int, AnyFrame]] = iter(self._reader)
        self._next: tuple[int, AnyFrame] | None = None
        self._speed = speed
        self._paused = paused
        self._base = 0.0  # position when `_since` was read
        self._since: float | None = None  # when playing started; None while paused
        self._jump: float | None = None
        self.jumping = False  # from a seek until all frames of the state there were sent
        self._poke = asyncio.Event()
        self._reading = asyncio.Lock()
        self._closed = False
        self._damage = ""  # why the records end early

    @property
    def marks(self) -> list[Mark]:
        """All marks of the tape, if it has an index."""
        index = self._reader.blocks.index
        return list(index.marks) if index else []

    @property
    def outline(self) -> Outline | None:
        """The coarse increase of each view over the whole tape, if it has an index."""
        return self._reader.outline

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return self._reader.duration

    @property
    def position(self) -> float:
        """Seconds from the first frame, 0 … duration."""
        passed = 0.0 if self._since is None else (time.monotonic() - self._since) * self._speed
        return min(self.duration, self._base + passed)

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._stand()
        self._paused = paused
        self._poke.set()

    @property
    def speed(self) -> float:
        """Playback speed, a positive factor."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"{speed} is not a valid speed")
        self._stand()
        self._speed = speed
        self._poke.set()

    def seek(self, seconds: float) -> None:
        """Go to a position; a position outside the tape means its start or end."""
        self._jump = min(max(0.0, seconds), self.duration)
        self.jumping = True
        self._base, self._since = self._jump, None
        self._poke.set()

    def whole(self) -> Iterator[AnyFrame]:
        """All frames from the start, as far as they can be read, independent of what is played."""
        with contextlib.suppress(BadTape):
            for _, frame in self._reader:
                if self._closed:
                    return
                yield frame
                if self._closed:
                    return

    async def frames(self) -> AsyncIterator[AnyFrame]:
        self.jumping = self._jump is not None
        while not self._closed:
            if self._jump is not None:
                target, self._jump = self._jump, None
                async with self._reading:
                    state = await asyncio.to_thread(self._state_at, target)
                for left, frame in zip(range(len(state) - 1, -1, -1), state, strict=True):
                    self.jumping = left > 0 or self._jump is not None
                    yield frame
                continue
            if self._next is None:
                try:
                    self._next = next(self._records, None)
                except BadTape as error:
                    self._damage = str(error)
                if self._next is None:
                    self._stand()
                    self._base = self.duration
                    if self._damage:
                        raise SourceEnded(self._damage)
                    return
            at, frame = self._next
            if await self._due(at / 1e9):
                self._next = None
                yield msgspec.structs.replace(frame, live=False) if isinstance(frame, Hello) else frame

    async def _due(self, at: float) -> bool:
        """Wait for this position. False if the caller must check again, as after a seek or a pause."""
        self._poke.clear()
        if self._paused and (at > self._base or self._jump is not None):
            await self._poke.wait()
            return False
        if self._since is None and not self._paused:
            self._since = time.monotonic()
        wait = (at - self.position) / self._speed
        if wait <= 0:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._poke.wait(), wait)
        return False

    def _stand(self) -> None:
        """Stop at the current position."""
        self._base, self._since = self.position, None

    def _state_at(self, seconds: float) -> list[AnyFrame]:
        """The state at a position; reading continues after it."""
        recall = Recall(hosts=HOSTS)
        end = round(seconds * 1e9)
        self._records, self._next = self._reader.since(end), None
        self._damage = ""
        try:
            for at, frame in self._records:
                if at > end:
                    self._next = at, frame
                    break
                recall.add(frame)
        except BadTape as error:
            self._damage = str(error)
        except MemoryError:
            self._damage = f"not enough memory for {self._reader.name} before {seconds:.1f} s"
        return recall.frames(live=False)

    async def request(self, request: AnyRequest) -> None:
        raise ReadOnly("a tape can't load or detach probes")

    async def close(self) -> None:
        self._closed = True
        self._poke.set()
        async with self._reading:
            self._reader.close()
