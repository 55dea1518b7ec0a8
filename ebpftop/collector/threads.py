"""Where every thread of the machine is, for a consumer that looks at them: read by a root task, one at a time."""

from __future__ import annotations

from collections.abc import Callable

from ebpftop.frames.messages import Threads
from ebpftop.handover import protocol

RUN = -7  # the number of the task that answers


class Readings:
    """Passes requests on and answers with `put`."""

    def __init__(self, request: Callable[[protocol.Message], None], put: Callable[[Threads], None]) -> None:
        self._request, self._put = request, put
        self._reading = False

    def wanted(self) -> None:
        """Read once, unless that is being done."""
        if not self._reading:
            self._reading = True
            self._request(protocol.RequestThreads(run=RUN))

    def answered(self, threads: Threads) -> None:
        self._reading = False
        self._put(threads)

    def failed(self, error: str) -> None:
        self._reading = False
        self._put(Threads(monotonic_ns=0, boottime_ns=0, error=error))
