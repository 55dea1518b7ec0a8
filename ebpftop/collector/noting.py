"""Records the mappings of processes while call stacks are counted, so that functions of ended processes keep their
names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ebpftop.collector.departed import Departed
from ebpftop.collector.memories import Memories
from ebpftop.handover import protocol, transport
from ebpftop.kernel.memory_events import MemoryEvents

RUN = -8  # the number of the task that answers


class Noting:
    """`warn` is called with one line if that isn't possible, or if records were lost. It costs nothing while it isn't
    wanted.
    """

    def __init__(
        self, departed: Departed, request: Callable[[protocol.Message], None], warn: Callable[[str], None]
    ) -> None:
        self._departed, self._request, self._warn = departed, request, warn
        departed.catch_up = self.take
        self._requested = self._on = self._warned = False
        self.rings: list[MemoryEvents] = []

    def switch(self, on: bool) -> None:
        """Begin, or forget everything."""
        if on and not self._requested:
            self._requested = True
            self._request(protocol.RequestMemoryEvents(run=RUN))
        if on is self._on or not self.rings:
            return
        self._on = on
        memories = Memories()
        if on:
            memories.since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        else:
            for ring in self.rings:
                ring.drain()
        for ring in self.rings:
            ring.switch(on)
        self._departed.begin(memories)

    def opened(self, descriptors: Sequence[int]) -> None:
        """From now on the kernel reports mappings."""
        try:
            for descriptor in descriptors:
                self.rings.append(MemoryEvents(descriptor))
        except OSError as error:
            transport.close_all(descriptors[len(self.rings) :])
            self.failed(error.strerror or str(error))
            return
        self.switch(True)

    def failed(self, error: str) -> None:
        """The kernel can't report them."""
        for ring in self.rings:
            ring.close()
        self.rings = []
        self._warn(f"short-lived processes may lack function names: their mappings can't be recorded ({error})")

    def take(self) -> None:
        """Take the reports since the last call."""
        if not self._on:
            return
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._departed.memories.take([event for ring in self.rings for event in ring.drain()], now)
        if not self._warned and any(ring.lost for ring in self.rings):
            self._warned = True
            self._warn("too many programs start: some of their mappings were lost, so functions may lack names")
