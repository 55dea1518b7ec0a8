"""The difference between another machine's clocks and ours, measured by asking: the uncertainty is half of the round
trip.
"""

from __future__ import annotations

import time

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import Pong
from ebpftop.frames.renumbering import Shift

_OLDEST = 100 * 365 * 86400 * 10**9  # ns that a machine may have been running
ASKED = 3  # times before what comes is taken over: the quickest answer counts


class Clocks:
    """shift: how far ours are ahead, according to the quickest answer so far. way_ns: the round trip; None before an
    answer.
    """

    def __init__(self) -> None:
        self.shift = Shift()
        self.way_ns: int | None = None
        self.answers = 0
        self._asked: dict[int, int] = {}

    def asks(self, number: int) -> None:
        self._asked[number] = time.monotonic_ns()

    def answered(self, pong: Pong) -> None:
        """Raises `BadFrame` if no machine has such clocks."""
        asked = self._asked.pop(pong.number, None)
        if asked is None:
            return
        self._asked.clear()
        now = time.monotonic_ns()
        if not all(0 < ns < _OLDEST for ns in (pong.monotonic_ns, pong.boottime_ns)):
            raise BadFrame("its clocks can't be right")
        self.answers += 1
        if self.way_ns is not None and now - asked >= self.way_ns:
            return
        self.way_ns = now - asked
        middle = now - self.way_ns // 2
        back = time.monotonic_ns() - middle
        self.shift = Shift(
            realtime=time.time_ns() - back - pong.realtime_ns,
            monotonic=middle - pong.monotonic_ns,
            boottime=time.clock_gettime_ns(time.CLOCK_BOOTTIME) - back - pong.boottime_ns,
        )
