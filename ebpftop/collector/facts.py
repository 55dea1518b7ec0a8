"""The /proc facts of a process that a consumer looks at: read by a root task, one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from ebpftop.frames.messages import ProcessFacts, ReadProcess
from ebpftop.handover import protocol

RUN = -5  # the number of the task that answers


class Facts:
    """Forwards requests and answers each with `put`. user: maps a uid to a name, which root doesn't look up.

    A request that comes while another process is read waits; of several, only the last one does.
    """

    def __init__(
        self,
        request: Callable[[protocol.Message], None],
        put: Callable[[ProcessFacts], None],
        user: Callable[[int], str],
    ) -> None:
        self._request, self._put, self._user = request, put, user
        self._reading: ReadProcess | None = None
        self._next: ReadProcess | None = None
        self._known: ProcessFacts | None = None  # what came first

    def wanted(self, request: ReadProcess) -> None:
        if self._reading is not None:
            self._next = request if request != self._reading else None
            return
        self._reading, self._known = request, None
        self._request(protocol.RequestProcess(run=RUN, tgid=request.tgid, start_ns=request.start_ns))

    def answered(self, read: protocol.ProcessRead) -> None:
        if read.whole:
            self._end(read.facts)
        else:
            self._known = read.facts

    def failed(self, error: str) -> None:
        """The task ended before it had read everything."""
        asked = self._reading
        if asked is None:
            return
        known = self._known or ProcessFacts(
            tgid=asked.tgid, start_ns=asked.start_ns, boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        )
        self._end(replace(known, unread=[*known.unread, error]))

    def _end(self, facts: ProcessFacts) -> None:
        self._put(facts if facts.gone else replace(facts, user=self._user(facts.euid)))
        following, self._reading, self._next = self._next, None, None
        if following is not None:
            self.wanted(following)
