"""The past of a whole tape and its events, read once from its start, independent of the displayed moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ebpftop.frames.messages import AnyFrame, Detached, Events, Hello, Loaded, Loading, Snapshot
from ebpftop.model.session import Session

if TYPE_CHECKING:
    from ebpftop.model.run import Run

_EVENTS = 100_000  # of each ring buffer, within the memory of all


class Ahead:
    """past_bytes: as in `Session`."""

    def __init__(self, past_bytes: int) -> None:
        self._session = Session(history=1, event_rows=_EVENTS, past_bytes=past_bytes)

    def feed(self, frame: AnyFrame) -> None:
        """Take the next frame of the tape. Raises `BadFrame`."""
        if isinstance(frame, Hello):
            frame = structs.replace(frame, live=False)
        if isinstance(frame, Hello | Loading | Loaded | Snapshot | Events | Detached):
            self._session.feed(frame)

    def run(self, hello: Hello | None, number: int) -> Run | None:
        """A run with its pasts and samples, as far as they were read, of the stream read last."""
        return self._session.runs.get(number) if hello == self._session.hello else None
