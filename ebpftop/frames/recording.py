"""A source whose frames also go into a tape, from any moment on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ebpftop.frames.messages import AnyFrame, AnyWish, Notice
from ebpftop.frames.recall import Recall
from ebpftop.frames.source import Source
from ebpftop.frames.tape import TapeWriter


class Recording(Source):
    """Passes on everything `source` does. `writer` is the tape that is being written, if any."""

    def __init__(self, source: Source) -> None:
        self.live, self.can_restart = source.live, source.can_restart
        self.writer: TapeWriter | None = None
        self._source = source
        self._recall = Recall()

    def start(self, writer: TapeWriter) -> None:
        """Record from now on; the tape begins with the present state. Raises `OSError`."""
        self.stop()
        self.writer = writer
        for frame in self._recall.frames():
            writer.write(frame)

    def stop(self) -> None:
        """End the tape, if one is being written. Raises `OSError`."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()

    async def frames(self) -> AsyncIterator[AnyFrame]:
        flushing = asyncio.create_task(self._flush())
        try:
            async for frame in self._source.frames():
                self._recall.add(frame)
                trouble = self._write(self.writer, frame) if self.writer else None
                if trouble:
                    yield trouble
                yield frame
        finally:
            flushing.cancel()

    def _write(self, writer: TapeWriter, frame: AnyFrame) -> Notice | None:
        try:
            writer.write(frame)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.stop()
            return Notice(level="error", text=f"the tape ends here: {error.strerror}")
        return None

    async def _flush(self) -> None:
        """Write what is waiting every second, so that little is lost with us; trouble shows at the next frame."""
        while True:
            await asyncio.sleep(1)
            if self.writer is not None:
                with contextlib.suppress(OSError):
                    self.writer.flush()

    async def wish(self, wish: AnyWish) -> None:
        await self._source.wish(wish)

    async def restart(self) -> None:
        await self._source.restart()

    async def close(self) -> None:
        self.stop()
        await self._source.close()
