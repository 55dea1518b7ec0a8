"""Reconstructs frames from their form on a socket or a tape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ebpftop.frames.codec import Decoder
from ebpftop.frames.messages import AnyFrame, Changes, Written
from ebpftop.frames.tape_format import FRAME_LIMIT, fits

if TYPE_CHECKING:
    from ebpftop.frames.received import ChangeReader


class Reading:
    """Turns changes into snapshots again. NumPy is imported with the first one."""

    def __init__(self) -> None:
        self._changes: ChangeReader | None = None

    def read(self, frame: Written) -> AnyFrame:
        """The original frame. Raises `BadFrame`."""
        if self._changes is None:
            if not isinstance(frame, Changes):
                return frame
            from ebpftop.frames.received import ChangeReader

            self._changes = ChangeReader()
        return self._changes.read(frame)


class FrameDecoder:
    """Decodes the stream of a collector, in pieces of any size. bounded: with the limits of tapes, because the writer
    isn't trusted.
    """

    def __init__(self, *, bounded: bool = False) -> None:
        self._decoder: Decoder[Written] = (
            Decoder(Written, limit=FRAME_LIMIT, accepts=fits) if bounded else Decoder(Written)
        )
        self._read = Reading().read

    def feed(self, data: bytes) -> Iterator[AnyFrame]:
        """Yield each frame that `data` completes. Raises `BadFrame`."""
        return map(self._read, self._decoder.feed(data))
