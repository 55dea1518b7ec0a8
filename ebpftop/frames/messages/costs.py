"""What a run's programs cost."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import FEW, SOME, Frame, Whole


class ProgramCost(msgspec.Struct, frozen=True, kw_only=True):
    """Kernel accounting of one program since attaching; both are 0 while statistics are off.

    attachment_ns: an estimate of what it adds to a call that the program is attached to at all, which the kernel does
    not account (a uprobe's breakpoint takes far longer than its program); 0 where that is little.
    """

    name: str
    run_count: Whole
    run_time_ns: Whole
    attachment_ns: Whole = 0


class RingUse(msgspec.Struct, frozen=True, kw_only=True):
    """A ring buffer: bytes it has, and the most that ever waited in it. What doesn't fit is counted as lost."""

    map: str
    size: Whole
    most: Whole


class Cost(Frame, frozen=True, kw_only=True):
    """What a run's programs cost the machine: the programs' own time, without the cost of the attachment itself.

    accounted: whether the kernel accounts run times. estimated: whether it did so for a part of the time only, about a
    tenth, so that times and counts are estimates.
    """

    run: int
    monotonic_ns: Whole
    accounted: bool = msgspec.field(name="statistics")
    programs: Annotated[list[ProgramCost], FEW]
    rings: Annotated[list[RingUse], SOME] = []
    estimated: bool = False
