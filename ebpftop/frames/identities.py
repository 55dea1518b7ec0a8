"""The identities of a stream, a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ebpftop.frames.messages import FOLDED, Process

LIMIT = 65_536  # some 32 MB; beyond, the oldest of those that ended are forgotten, and then others


def remember(known: dict[int, Process], processes: Iterable[Process]) -> None:
    """Add processes to `known`, by id, the newest last."""
    for process in processes:
        known.pop(process.id, None)
        known[process.id] = process
    if len(known) > LIMIT:
        ended = (number for number, each in known.items() if each.ended_ns is not None and number != FOLDED)
        for number in [*islice(ended, LIMIT // 2)]:
            del known[number]
        for number in [*islice((number for number in known if number != FOLDED), max(0, len(known) - LIMIT))]:
            del known[number]
