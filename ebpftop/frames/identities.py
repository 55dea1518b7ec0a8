"""A bounded number of the processes that a stream has described."""

from __future__ import annotations

from collections.abc import Iterable

from ebpftop.frames.messages import FOLDED, Process

LIMIT = 200_000  # about 100 MB; beyond that, ended processes are dropped, oldest first


def remember(known: dict[int, Process], processes: Iterable[Process]) -> None:
    """Add processes to `known`, by id, the newest last."""
    for process in processes:
        known.pop(process.id, None)
        known[process.id] = process
    if len(known) > LIMIT:
        ended = (number for number, each in known.items() if each.ended_ns is not None and number != FOLDED)
        for number in [number for number, _ in zip(ended, range(LIMIT // 2), strict=False)]:
            del known[number]
