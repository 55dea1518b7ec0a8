"""The interface through which all consumers read frames, whatever produces them."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator

from ebpftop.frames.messages import AnyFrame, AnyRequest


class SourceEnded(Exception):
    """The producer is gone; the text is one line. Raised by `Source.frames` unless `close` was called."""


class ReadOnly(Exception):
    """The source accepts no requests (a tape)."""


class Source(abc.ABC):
    """A stream of frames, and a channel for requests.

    live: frames come from a running kernel. can_restart: after `SourceEnded`, `restart` can start a new stream, which
    `frames` then yields from its `Hello` on; probes must be requested again.
    """

    live: bool = True
    can_restart: bool = False

    @abc.abstractmethod
    def frames(self) -> AsyncIterator[AnyFrame]:
        """Yield frames as they arrive, until the tape's end or `close`. Raises `SourceEnded`, `BadFrame`."""

    @abc.abstractmethod
    async def request(self, request: AnyRequest) -> None:
        """Send a request; answers arrive as frames. Raises `ReadOnly`, `SourceEnded`."""

    async def restart(self) -> None:
        """Restart the producer. Raises `ReadOnly` if that is impossible."""
        raise ReadOnly("this source cannot be restarted")

    @abc.abstractmethod
    async def close(self) -> None:
        """End the stream; all its probes are detached."""


def unwatched(hosts: int) -> str:
    """What is said when no host can be reached."""
    return "none of the hosts can be watched" if hosts > 1 else "this host can't be watched"
