"""What a source that is a tape offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

from ebpftop.frames.messages import AnyFrame, Mark
from ebpftop.frames.source import Source

if TYPE_CHECKING:
    from ebpftop.frames.overview import Outline


class Playback(Protocol):
    """A source that can pause and seek: a tape. Positions are seconds from its first frame. jumping: from a seek until
    the last frame of the state there.
    """

    paused: bool
    speed: float

    @property
    def position(self) -> float: ...

    @property
    def duration(self) -> float: ...

    @property
    def jumping(self) -> bool: ...

    @property
    def marks(self) -> list[Mark]: ...

    @property
    def outline(self) -> Outline | None: ...

    def seek(self, seconds: float) -> None: ...

    def whole(self) -> Iterator[AnyFrame]: ...


def playback_of(source: Source) -> Playback | None:
    """The source, if it is one. Checking all attributes, as `isinstance` does, would read the tape's outline."""
    return cast("Playback", source) if hasattr(source, "seek") else None
