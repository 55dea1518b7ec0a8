"""The one table: what was measured, ours and a peer's median, their ratio, the target."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Unit = Callable[[float], str]
HEADINGS = ("measured", "ebpftop", "peer", "peer's", "ratio", "target", "")


@dataclass(frozen=True)
class Row:
    """Paired measurements in seconds, bytes or nanoseconds, as `unit` writes them.

    `target` is the ratio of ours to the peer's that is wanted at most; `most` and `least` are bounds of ours alone.
    Without a peer's measurements `note` says why.
    """

    what: str
    ours: Sequence[float]
    peer: str = ""
    theirs: Sequence[float] = ()
    unit: Unit = str
    target: float | None = None
    note: str = ""
    most: float | None = None
    least: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Texts under `HEADINGS`."""
        ours = self.unit(median(self.ours)) if self.ours else "–"
        theirs = ratio = ""
        if self.ours and self.theirs:
            theirs, ratio = self.unit(median(self.theirs)), f"{self._ratio():.3g}".replace("inf", "∞")
        target, verdict = self._verdict()
        return (self.what, ours, self.peer, theirs, ratio, target, "; ".join(filter(None, (verdict, self.note))))

    def _ratio(self) -> float:
        pairs = zip(self.ours, self.theirs, strict=True)
        return median(mine / other if other else math.inf for mine, other in pairs)

    def _verdict(self) -> tuple[str, str]:
        """The target, and whether it was met or by how much it was missed."""
        if not self.ours:
            return "", ""
        if self.most is not None:
            return f"≤ {self.unit(self.most)}", _met(median(self.ours), self.most)
        if self.least is not None:
            return f"≥ {self.unit(self.least)}", _met(self.least, median(self.ours))
        if self.target is not None and self.theirs:
            return f"≤ {self.target:.2f}", _met(self._ratio(), self.target)
        return "", ""


def _met(value: float, most: float) -> str:
    return "met" if value <= most else f"MISSED by {value / most - 1:.0%}" if most else "MISSED"


def render(rows: Sequence[Row]) -> str:
    """Aligned columns; numbers to the right."""
    return aligned([HEADINGS, *(row.cells() for row in rows)], {1, 3, 4, 5})


def aligned(lines: Sequence[tuple[str, ...]], right: set[int]) -> str:
    """Cells under each other, those of the columns in `right` to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def interleaved(rounds: int, *contenders: Callable[[], Any]) -> list[list[float]]:
    """Seconds that each took, in every round one after the other, so that all meet the same machine."""
    times: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for taken, contender in zip(times, contenders, strict=True):
            start = time.perf_counter()
            contender()
            taken.append(time.perf_counter() - start)
    return times


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def s(seconds: float) -> str:
    return f"{seconds:.2f} s"


def mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def ns(nanoseconds: float) -> str:
    return f"{nanoseconds:.0f} ns"
