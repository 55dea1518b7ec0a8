"""Finds threads that have ended in a living process, by looking in /proc, because nothing reports them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ebpftop.collector.census import Census
from ebpftop.frames.columns import Array

SECONDS = 3.0  # between two looks


class ThreadEnds:
    """Looks rarely. A thread counts as ended when two looks didn't find it, so its last values were read in between."""

    def __init__(self, census: Census, clock: Callable[[], float] = time.monotonic) -> None:
        self._census, self._clock = census, clock
        self._next_at = 0.0
        self._gone: Array = np.empty(0, "<u8")

    def among(self, identities: Array, threads: Array) -> npt.NDArray[np.bool_]:
        """A mask of the ended ones; none between two looks."""
        now = self._clock()
        if now < self._next_at or not len(threads):
            return np.zeros(len(threads), bool)
        self._next_at = now + SECONDS
        codes = identities.astype("<u8") << np.uint64(32) | threads.astype("<u8")
        distinct, at = np.unique(codes, return_inverse=True)
        gone = np.zeros(len(distinct), bool)
        owners = (distinct >> np.uint64(32)).astype(np.int64)
        for owner in np.unique(owners).tolist():
            of = np.flatnonzero(owners == owner)
            living = self._living(owner)
            if living is not None:
                gone[of] = ~np.isin((distinct[of] & np.uint64(0xFFFFFFFF)).astype(np.int64), living)
        ended = gone & np.isin(distinct, self._gone)
        self._gone = distinct[gone & ~ended]
        return ended[at]

    def _living(self, identity: int) -> list[int] | None:
        """The threads of a process; None if it has ended or can't be read."""
        known = self._census.alive(identity)
        if known is not None:
            with contextlib.suppress(OSError):
                return [int(entry) for entry in os.listdir(f"/proc/{known.tgid}/task")]
        return None
