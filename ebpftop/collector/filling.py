"""Wake-ups by programs that write a lot to ring buffers.

A ring buffer is readable whenever it contains a record, so an ordinary selector would never rest. Here only a program's
wake-up counts (`wake_up` in probes/include/ebpftop_maps.h): this uses epoll's edge-triggered mode in an epoll instance
of its own, which the selector can wait for like any other descriptor.
"""

from __future__ import annotations

import select
from collections.abc import Iterable

from ebpftop.collector.ring import Ring
from ebpftop.kernel.memory_events import MemoryEvents

FULL = 4  # the part of a ring (a quarter) from which on it is drained at once


class Filling:
    """`fileno` becomes readable when a program has woken up the reader of a ring."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, fd: int) -> None:
        """Watch it until the ring and all its descriptors are closed."""
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)

    def fills(self, rings: Iterable[Ring | MemoryEvents]) -> bool:
        """Take the wake-ups. Whether one of the rings is so full that it shouldn't wait."""
        self._epoll.poll(0)
        return any(ring.waiting > ring.size // FULL for ring in rings)
