"""A source whose frames can also be recorded to a tape, starting at any time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable

from ebpftop.frames.messages import AnyFrame, AnyRequest, Notice
from ebpftop.frames.recall import Recall
from ebpftop.frames.source import Source
from ebpftop.frames.tape import TapeWriter


class Recording(Source):
    """Forwards everything to and from `source`. `writer` is the tape being written, if any."""

    def __init__(self, source: Source) -> None:
        self.live, self.can_restart = source.live, source.can_restart
        self.writer: TapeWriter | None = None
        self._source = source
        self._recall = Recall()
        self._trouble: OSError | None = None

    def start(self, writer: TapeWriter) -> None:
        """Start recording; the tape begins with the current state. Raises `OSError`."""
        self.stop()
        self.writer, self._trouble = writer, None
        for frame in self._recall.frames():
            writer.write(frame)

    def stop(self) -> None:
        """Finish the tape, if one is being written. Raises `OSError`."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()

    async def frames(self) -> AsyncIterator[AnyFrame]:
        flushing = asyncio.create_task(self._flush())
        try:
            async for frame in self._source.frames():
                self._recall.add(frame)
                if self.writer is not None:
                    self._try(functools.partial(self.writer.write, frame))
                if self._trouble is not None:
                    yield Notice(level="error", text=f"recording stopped: {self._trouble.strerror}")
                    self._trouble = None
                yield frame
        finally:
            flushing.cancel()

    async def _flush(self) -> None:
        """Flush every second, so that little is lost if we are killed."""
        while True:
            await asyncio.sleep(1)
            if self.writer is not None:
                self._try(self.writer.flush)

    def _try(self, write: Callable[[], None]) -> None:
        """End the tape at the first error, which the next frame reports: a tape must not have gaps."""
        try:
            write()
        except OSError as error:
            self._trouble = error
            with contextlib.suppress(OSError):
                self.stop()

    async def request(self, request: AnyRequest) -> None:
        await self._source.request(request)

    async def restart(self) -> None:
        await self._source.restart()

    async def close(self) -> None:
        self.stop()
        await self._source.close()
