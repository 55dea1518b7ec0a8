"""The past of a whole tape and its events, with the names in them, read once from its start, independent of the
displayed moment.
"""

from __future__ import annotations

from msgspec import structs

from ebpftop.base import bounds
from ebpftop.frames.messages import AnyFrame, Detached, Events, Hello, Loaded, Loading, Processes, Snapshot, Stacks
from ebpftop.model.past.memory import LIMIT
from ebpftop.model.session import Session

_PAST = LIMIT * 7 // 8  # bytes; what is played needs only what isn't read ahead yet
_PROCESSES, _STACKS = bounds.PROCESSES // 2, bounds.STACKS // 2
_EVENTS = 100_000  # of each ring buffer, within the memory of all


class Ahead:
    """past_bytes: as in `Session`."""

    def __init__(self, past_bytes: int = _PAST) -> None:
        self._session = Session(
            history=1, event_rows=_EVENTS, past_bytes=past_bytes, process_bytes=_PROCESSES, stack_bytes=_STACKS
        )

    def played(self) -> Session:
        """A session for the displayed moment, in the memory that is left."""
        return Session(
            past_bytes=LIMIT - self._session.past_bytes,
            process_bytes=bounds.PROCESSES - _PROCESSES,
            stack_bytes=bounds.STACKS - _STACKS,
            ahead=self.of,
        )

    def feed(self, frame: AnyFrame) -> None:
        """Take the next frame of the tape. Raises `BadFrame`."""
        if isinstance(frame, Hello):
            frame = structs.replace(frame, live=False)
        if isinstance(frame, Hello | Loading | Loaded | Processes | Stacks | Snapshot | Events | Detached):
            self._session.feed(frame)

    def of(self, hello: Hello | None) -> Session | None:
        """What was read so far of the stream with this hello, if it is the one read last."""
        return self._session if hello == self._session.hello else None
