"""The identities of a stream, a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterable

from ebpftop.frames.messages import FOLDED, Process

LIMIT = 200_000  # some 100 MB; beyond, the oldest of those that ended are forgotten


def remember(known: dict[int, Process], processes: Iterable[Process]) -> None:
    """Add processes to `known`, by id, the newest last."""
    for process in processes:
        known.pop(process.id, None)
        known[process.id] = process
    if len(known) > LIMIT:
        ended = (number for number, each in known.items() if each.ended_ns is not None and number != FOLDED)
        for number in [number for number, _ in zip(ended, range(LIMIT // 2), strict=False)]:
            del known[number]
