"""What a run's programs cost."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import FEW, SOME, Frame, Whole


class ProgramCost(msgspec.Struct, frozen=True, kw_only=True):
    """Kernel accounting of one program since attaching; both are 0 while statistics are off.

    attachment_ns: the estimated cost that the attachment adds to a call and that the kernel doesn't account (a uprobe's
    breakpoint takes far longer than its program); 0 if it is small.
    """

    name: str
    run_count: Whole
    run_time_ns: Whole
    attachment_ns: Whole = 0


class RingUse(msgspec.Struct, frozen=True, kw_only=True):
    """A ring buffer: its size in bytes, and the most bytes that ever waited in it. Events that don't fit are counted as
    lost.
    """

    map: str
    size: Whole
    most: Whole


class Cost(Frame, frozen=True, kw_only=True):
    """What a run's programs cost the machine: the programs' own time, without the cost of the attachment itself.

    accounted: whether the kernel accounts run times. estimated: whether it did so for only a part of the time, about a
    tenth, so that times and counts are estimates.
    """

    run: int
    monotonic_ns: Whole
    accounted: bool = msgspec.field(name="statistics")
    programs: Annotated[list[ProgramCost], FEW]
    rings: Annotated[list[RingUse], SOME] = []
    estimated: bool = False
