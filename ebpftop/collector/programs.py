"""All BPF programs of the machine, for a consumer that looks at them: read by a root task, one at a time."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ebpftop.frames.messages import Programs
from ebpftop.handover import protocol

RUN = -4  # the number of the task that answers
WATCHED = 30.0  # seconds after a request for which run times are accounted, until the next one


class Readings:
    """Forwards requests and answers with `put`. since: since when run times are accounted, see `RunTimes.since`."""

    def __init__(
        self,
        request: Callable[[protocol.Message], None],
        put: Callable[[Programs], None],
        since: Callable[[], int | None],
    ) -> None:
        self._request, self._put, self._since = request, put, since
        self._reading = False
        self._until = 0.0

    def watched(self, now: float) -> bool:
        """Whether somebody looks at the programs at this monotonic second."""
        return now < self._until

    def wanted(self, now: float) -> None:
        """Read once, unless a reading is in progress."""
        self._until = now + WATCHED
        if not self._reading:
            self._reading = True
            self._request(protocol.RequestPrograms(run=RUN))

    def answered(self, programs: Programs) -> None:
        self._reading = False
        self._put(programs if programs.accounted else replace(programs, accounted_since_ns=self._since()))

    def failed(self, error: str) -> None:
        self._reading = False
        self._put(Programs(monotonic_ns=0, boottime_ns=0, error=error))
