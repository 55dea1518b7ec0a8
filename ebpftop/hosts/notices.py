"""Bounds what one host has us say: the length of a notice, and how many there are in a while."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from msgspec import structs

from ebpftop.frames.messages import AnyFrame, Notice

MOST = 20  # notices
WHILE = 10.0  # in so many seconds
LONGEST = 1000  # characters of one


class Notices:
    """Those of the host of this name."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._began, self._count = time.monotonic(), 0

    def bounded(self, frames: Iterable[AnyFrame]) -> Iterator[AnyFrame]:
        """The frames, with at most so many notices and a last one that says so."""
        for frame in frames:
            if not isinstance(frame, Notice):
                yield frame
            elif self._has_room():
                yield structs.replace(frame, text=shortened(frame.text))
            elif self._count == MOST + 1:
                text = (
                    f"{self._host}: it says more, which is left out: at most {MOST} messages in {WHILE:.0f} s are shown"
                )
                yield Notice(level="warning", text=text)

    def _has_room(self) -> bool:
        now = time.monotonic()
        if now - self._began > WHILE:
            self._began, self._count = now, 0
        self._count += 1
        return self._count <= MOST


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
