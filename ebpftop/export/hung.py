"""Threads that make no progress, as `ebpftop triage` reports them: no probe counts a wait that does not end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import msgspec

from ebpftop.frames.messages import Threads
from ebpftop.model.places import STOPPED, STUCK, TRACED, Place, Places
from ebpftop.stats import formatting

LONG = 1_000_000_000  # ns
MOST = 4  # lines
_HALTED = (STOPPED, TRACED)


class Hung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Threads that make no progress: stopped, traced, or for at least a second uninterruptible or waiting for a lock
    that another thread holds. for_ns: lower bound of the longest wait; null if unknown. target: what they wait for.
    holder: who holds it. who: the process with most of them. text: for people.
    """

    state: str
    threads: int
    for_ns: int | None
    target: str | None
    holder: str | None
    who: str
    text: str


def hung(read: Threads | None, write: Callable[[str], str]) -> list[Hung] | None:
    """The worst first, without the kernel's own threads; None if the threads weren't read. write: makes text inert and
    short.
    """
    if read is None or read.error:
        return None
    found = (each for each in Places().take(read) if _hangs(each) and not each.seen[0].thread.kernel)
    return [_hung(each, write) for each in islice(found, MOST)]


def _hangs(place: Place) -> bool:
    waits_long = (place.state == STUCK or place.holder is not None) and (place.age_ns or 0) >= LONG
    return waits_long or place.state in _HALTED


def _hung(place: Place, write: Callable[[str], str]) -> Hung:
    whose, target = write(place.whose), write(place.target)
    holder = write(f"{place.holder.comm} {place.holder.tid}") if place.holder is not None else ""
    what = f"{formatting.plural(len(place.seen), 'thread')} of {whose}, {place.state}"
    what += f" in {place.call}" if place.call else ""
    what += f", for {place.since}" if place.since else ""
    what += f": {target}" if target else ""
    return Hung(
        state=place.state,
        threads=len(place.seen),
        for_ns=place.age_ns,
        target=target or None,
        holder=holder or None,
        who=whose,
        text=f"{what}, held by {holder}" if holder else what,
    )
