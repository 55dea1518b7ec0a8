"""One bound for the memory of all pasts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ebpftop.base import bounds

LIMIT = bounds.PAST  # bytes of a session's past
_GOAL = 63 / 64  # what a past shrinks to, so that not every step makes it shrink again


class Shrinking(Protocol):
    @property
    def bytes(self) -> int: ...

    def shrink(self) -> bool:
        """Free some memory; False if there is none to free."""
        ...


def hold(parts: Iterable[Shrinking], limit: int) -> None:
    """Shrink the largest pasts until all together are within the limit, so small ones lose nothing."""
    left = list(parts)
    sizes = {id(part): part.bytes for part in left}
    total = sum(sizes.values())
    if total <= limit:
        return
    while total > limit * _GOAL and left:
        largest = max(left, key=lambda part: sizes[id(part)])
        if not largest.shrink():
            left.remove(largest)
        total += largest.bytes - sizes[id(largest)]
        sizes[id(largest)] = largest.bytes
