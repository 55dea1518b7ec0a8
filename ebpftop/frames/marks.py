"""Creates marks: moments with a name."""

from __future__ import annotations

import time
from typing import Literal

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Mark

MARKS = 1000  # that a consumer keeps
LONGEST = 4096  # bytes and characters of a mark's text

Origin = Literal["person", "outside", "trigger"]


def marked(text: str, origin: Origin) -> Mark:
    """A mark for the present, on this machine's clocks. The text becomes one inert line."""
    return Mark(
        realtime_ns=time.time_ns(),
        monotonic_ns=time.monotonic_ns(),
        boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        text=line(text),
        origin=origin,
    )


def line(text: str) -> str:
    """One line without unprintable characters, cut to `LONGEST`; "" if nothing is left."""
    whole = inert(" ".join(text.split()))
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"
