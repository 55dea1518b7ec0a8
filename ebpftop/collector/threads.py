"""The state of every thread of the machine, for a consumer that looks at them: read by a root task, one at a time."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ebpftop.frames.messages import OpenWait, Threads
from ebpftop.handover import protocol

RUN = -7  # the number of the task that answers


class Readings:
    """Forwards requests and answers with `put`. waits: the waits of threads that attached probes know."""

    def __init__(
        self,
        request: Callable[[protocol.Message], None],
        put: Callable[[Threads], None],
        waits: Callable[[list[int]], list[OpenWait]],
    ) -> None:
        self._request, self._put, self._waits = request, put, waits
        self._reading = False

    def wanted(self) -> None:
        """Read once, unless a reading is in progress."""
        if not self._reading:
            self._reading = True
            self._request(protocol.RequestThreads(run=RUN))

    def answered(self, threads: Threads) -> None:
        self._reading = False
        self._put(replace(threads, waits=self._waits([each.tid for each in threads.threads])))

    def failed(self, error: str) -> None:
        self._reading = False
        self._put(Threads(monotonic_ns=0, boottime_ns=0, error=error))
