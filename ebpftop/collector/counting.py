"""The runs that count call stacks, as seen by `Naming`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.functions import Change

Runs = Mapping[int, AttachedProbe]


class CountingRuns:
    """See `naming.Counts`. over: detached runs whose last reading is done."""

    def __init__(self, runs: Runs, over: Runs, look: Callable[[AttachedProbe], object]) -> None:
        self._runs, self._over, self._look = runs, over, look

    @property
    def any(self) -> bool:
        return any(run.has_stacks for run in self._runs.values())

    def look(self) -> None:
        for run in list(self._runs.values()):
            if run.has_stacks:
                self._look(run)

    def asked(self) -> None:
        for run in self._all():
            run.asked()

    def learned(self, change: Change, sure: bool) -> None:
        for run in self._all():
            with contextlib.suppress(OSError):  # its rows stay as they were
                run.learned(change, sure)

    def _all(self) -> Iterator[AttachedProbe]:
        yield from self._runs.values()
        yield from self._over.values()
