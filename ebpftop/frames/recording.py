"""A source whose frames also go into a tape."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable

from ebpftop.frames.messages import AnyFrame, AnyRequest, Notice
from ebpftop.frames.source import Source
from ebpftop.frames.tape import TapeWriter


class Recording(Source):
    """Passes on everything that `source` delivers. `writer` is the tape being written; None without one, and after it
    has ended.
    """

    def __init__(self, source: Source, writer: TapeWriter | None) -> None:
        self.live = source.live
        self.writer = writer
        self._source = source
        self._error: OSError | None = None  # not yet reported

    def add(self, frame: AnyFrame) -> None:
        """Write a frame that doesn't come from the source."""
        if self.writer is not None:
            self._try(functools.partial(self.writer.write, frame))

    def stop(self) -> None:
        """End the tape, if it hasn't ended. Raises `OSError`."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()

    async def frames(self) -> AsyncIterator[AnyFrame]:
        flushing = asyncio.create_task(self._flush())
        try:
            async for frame in self._source.frames():
                self.add(frame)
                if self._error is not None:
                    yield Notice(level="error", text=f"recording stopped: {self._error.strerror}")
                    self._error = None
                yield frame
        finally:
            flushing.cancel()

    async def _flush(self) -> None:
        """Write buffered frames every second, so that a crash loses little."""
        while True:
            await asyncio.sleep(1)
            if self.writer is not None:
                self._try(self.writer.flush)

    def _try(self, write: Callable[[], None]) -> None:
        """End the tape at the first error, because nothing may follow a loss. A notice comes with the next frame."""
        try:
            write()
        except OSError as error:
            self._error = error
            with contextlib.suppress(OSError):
                self.stop()

    async def request(self, request: AnyRequest) -> None:
        await self._source.request(request)

    async def close(self) -> None:
        try:
            self.stop()
        finally:
            await self._source.close()
