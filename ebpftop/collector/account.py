"""The cost of one run's programs since attaching: counted by the kernel, or estimated from a part of the time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ebpftop.kernel.program_info import spent

_NS, _RUNS, _MISSES = range(3)


class Rate(NamedTuple):
    """Per second: ns, including attachments as far as they are calibrated, and runs."""

    ns: float
    runs: float


class Account:
    """In a window the kernel counts all runs. After a window comes either the next one without a gap, or a pause. In a
    pause the rates of the previous window are assumed until the next window ends. So sums grow steadily, and are exact
    if there is no pause.

    programs: descriptors by name. attachment_ns: ns per run of the attachment, by name.
    """

    def __init__(self, programs: Mapping[str, int], attachment_ns: Mapping[str, int]) -> None:
        self._programs = programs
        self._extra = np.array([attachment_ns.get(name, 0) for name in programs])
        self.counted = np.zeros((len(programs), 3), np.int64)  # ns, runs, misses at the last look
        self.estimated = False  # whether there ever was a pause
        self._looked = 0
        self._window: tuple[int, npt.NDArray[np.int64]] | None = None  # when it began, and what was counted then
        self._missing = np.zeros((len(programs), 2))  # what was not counted, estimated
        self._held: tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None  # see `pause`

    def look(self) -> None:
        """Raises `OSError`."""
        self._looked = time.monotonic_ns()
        for row, program in enumerate(self._programs.values()):
            self.counted[row] = spent(program)

    def look_again(self, seconds: float) -> None:
        """Look, if the last look was longer ago. Raises `OSError`."""
        if time.monotonic_ns() - self._looked > seconds * 1e9:
            self.look()

    @property
    def misses(self) -> int:
        """Runs that the kernel skipped because a program of the same kind was running on this CPU. All are counted."""
        return int(self.counted[:, _MISSES].sum())

    def sums(self) -> dict[str, tuple[int, int]]:
        """(ns, runs) by program, at the last look."""
        return dict(zip(self._programs, map(tuple, self._sums().astype(np.int64).tolist()), strict=True))

    def _sums(self) -> npt.NDArray[np.float64]:
        if self._held is None:
            return self.counted[:, :_MISSES] + self._missing
        since, sums, rates = self._held
        return sums + rates * (self._looked - since)

    def spending(self, *, estimated: bool) -> tuple[int, int]:
        """(ns, runs) of all programs at the last look, with attachments. If not `estimated`, only what the kernel has
        counted, which is never too much.
        """
        both = self._sums() if estimated else self.counted[:, :_MISSES]
        return int(both[:, _NS].sum() + both[:, _RUNS] @ self._extra), int(both[:, _RUNS].sum())

    # ---------------------------------------------------------------- windows

    def begin(self) -> None:
        """Begin a window at the last look."""
        self._window = self._looked, self.counted.copy()

    def rate(self) -> Rate:
        """The rate in the window up to the last look; zero if no window began before it."""
        gained, seconds = self._gained()
        ns, runs = gained.sum(axis=0) / seconds
        return Rate(float(ns + gained[:, _RUNS] @ self._extra / seconds), float(runs))

    def _gained(self) -> tuple[npt.NDArray[np.int64], float]:
        """The increase in the window, and the window's length in seconds."""
        began, counted = self._window or (self._looked, self.counted)
        return (self.counted - counted)[:, :_MISSES], max(self._looked - began, 1) / 1e9

    def go_on(self) -> None:
        """From the last look on, count everything."""
        if self._held is not None:
            self._missing, self._held = self._sums() - self.counted[:, :_MISSES], None
        self.begin()

    def pause(self) -> None:
        """End the window at the last look."""
        gained, seconds = self._gained()
        self._held = (
            self._looked,
            self._sums(),
            gained / seconds / 1e9,
        )  # since when, the sums then, and rates by the ns
        self._window, self.estimated = None, True
