"""The past of a whole tape: it is read once, from its start, whatever moment is shown meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ebpftop.frames.messages import AnyFrame, Detached, Events, Hello, Loaded, Loading, Mark, Snapshot
from ebpftop.model.session import Session

if TYPE_CHECKING:
    from ebpftop.model.run import Run


class Ahead:
    """marks: all that were read. past_bytes: as in `Session`."""

    def __init__(self, past_bytes: int) -> None:
        self._session = Session(history=1, event_rows=0, past_bytes=past_bytes)

    @property
    def marks(self) -> list[Mark]:
        return self._session.marks

    def feed(self, frame: AnyFrame) -> None:
        """Take the next frame of the tape. Raises `BadFrame`."""
        if isinstance(frame, Hello):
            frame = structs.replace(frame, live=False)
        if isinstance(frame, Hello | Loading | Loaded | Snapshot | Detached | Mark) or self._has_samples(frame):
            self._session.feed(frame)

    def _has_samples(self, frame: AnyFrame) -> bool:
        if not isinstance(frame, Events) or (run := self._session.runs.get(frame.run)) is None:
            return False
        return any(view.moments == frame.map for view in run.views)

    def run(self, hello: Hello | None, number: int) -> Run | None:
        """A run with its pasts and samples, as far as they were read; of the stream that was read last."""
        return self._session.runs.get(number) if hello == self._session.hello else None
