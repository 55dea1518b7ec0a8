"""Where frames come from: the interface every consumer reads, whoever produces them."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator

from ebpftop.frames.messages import AnyFrame, AnyRequest


class SourceEnded(Exception):
    """The producer is gone; the text says why, in one line. Raised by `Source.frames` if the end was not requested."""


class ReadOnly(Exception):
    """The source grants no requests (a tape)."""


class Source(abc.ABC):
    """A stream of frames, and the way back for requests.

    live: frames come from a running kernel. can_restart: after `SourceEnded`, `restart` may bring a fresh stream, which
    `frames` then yields from its `Hello` on; probes must be requested again.
    """

    live: bool = True
    can_restart: bool = False

    @abc.abstractmethod
    def frames(self) -> AsyncIterator[AnyFrame]:
        """Yield frames as they come. Ends quietly with a tape or after `close`; raises `SourceEnded`, `BadFrame`."""

    @abc.abstractmethod
    async def request(self, request: AnyRequest) -> None:
        """Send a request; answers come as frames. Raises `ReadOnly`, `SourceEnded`."""

    async def restart(self) -> None:
        """Start the producer again. Raises `ReadOnly` where that can't be."""
        raise ReadOnly("this source cannot be started again")

    @abc.abstractmethod
    async def close(self) -> None:
        """End the stream; everything it runs is detached."""
