"""Single samples of a stacks view: the time, CPU, process and stack of each.

They show what the steps of a second hide. The counts of the view don't depend on them: a ring buffer may lose some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Array, Values
from ebpftop.frames.messages import ViewInfo
from ebpftop.frames.stacks import STACK
from ebpftop.model.past.span import Span

MOST = 1 << 20  # samples of a view; they are part of the memory of a session's past, too

_MOMENT = np.dtype([("time", "<i8"), ("process", "<u4"), ("stack", "<u4"), ("cpu", "<u4")])
_ROOM = 1 << 10
_LAST = 1 << 10  # samples that show how often they are taken
_BUSY = 0.25  # the quantile of the gaps that stands for a busy CPU's: where one is idle, samples are left out


@dataclass(frozen=True, slots=True)
class Slice:
    """The samples of a short time. cpu: of one, or of all."""

    span: Span
    cpu: int | None = None


class Moments:
    """Samples in the order of time. `total` counts all ever added, `kept` those still here."""

    def __init__(self, view: ViewInfo) -> None:
        self._fields = {"time": "time", "process": view.by[0] if view.by else "", "stack": STACK, "cpu": "cpu"}
        self._buffer = np.zeros(_ROOM, _MOMENT)
        self._first = self._stop = 0
        self.total = 0

    @property
    def kept(self) -> int:
        return self._stop - self._first

    @property
    def bytes(self) -> int:
        return self._buffer.nbytes

    @property
    def all(self) -> Array:
        """One record per sample: time (monotonic ns), process (its identity), stack (its number) and cpu."""
        return self._buffer[self._first : self._stop]

    def add(self, columns: Mapping[str, Values]) -> None:
        """Take the samples of a frame; the oldest go when there are more than `MOST`. Raises `BadFrame`."""
        rows = len(next(iter(columns.values()), ()))
        new = np.zeros(rows, _MOMENT)
        for name, field in self._fields.items():
            values = columns.get(field)
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "ui":
                raise BadFrame(f"samples come without {field!r}, or it isn't a number")
            new[name] = values.astype(new[name].dtype)
        new = new[-MOST:]
        self.total += rows
        self._make_room(len(new))
        start, self._stop = self._stop, self._stop + len(new)
        self._buffer[start : self._stop] = new
        if len(new):  # CPUs write side by side, so that some are a little late
            late = self._first + int(np.searchsorted(self._buffer["time"][self._first : start], new["time"].min()))
            part = self._buffer[late : self._stop]
            part[:] = part[np.argsort(part["time"], kind="stable")]

    def _make_room(self, rows: int) -> None:
        self._first += max(0, self.kept + rows - MOST)
        if self._stop + rows > len(self._buffer):
            self._move(max(_ROOM, self.kept + self.kept // 2 + rows))

    def _move(self, room: int) -> None:
        kept = self.all
        self._buffer = np.zeros(room, _MOMENT)
        self._buffer[: len(kept)] = kept
        self._first, self._stop = 0, len(kept)

    def shrink(self) -> bool:
        """Drop the older half."""
        if not self.kept:
            return False
        self._first += (self.kept + 1) // 2
        self._move(max(_ROOM, self.kept))
        return True

    def within(self, span: Span, cpu: int | None = None) -> Array:
        """The samples from the span's start on, before its end; of one CPU or of all."""
        first, stop = np.searchsorted(self.all["time"], (span.start, span.end))
        found = self.all[first:stop]
        return found if cpu is None else found[found["cpu"] == cpu]

    @property
    def cpus(self) -> list[int]:
        """The CPUs that have samples."""
        found: list[int] = np.unique(self.all["cpu"]).tolist()
        return found

    @property
    def period(self) -> float:
        """ns between two samples of a busy CPU, judged by the last ones; 0 before there are any."""
        last = self.all[-_LAST:]
        gaps = [np.diff(last["time"][last["cpu"] == cpu]) for cpu in np.unique(last["cpu"])]
        known = np.concatenate([np.zeros(0, np.int64), *gaps])
        return float(np.quantile(known, _BUSY)) if len(known) else 0.0


def counted(samples: Array) -> tuple[Array, Array, Array]:
    """Processes and stacks, and the number of samples of each pair."""
    codes = samples["process"].astype(np.int64) << 32 | samples["stack"]
    pairs, counts = np.unique(codes, return_counts=True)
    return (pairs >> 32).astype("<u4"), (pairs & 0xFFFFFFFF).astype("<u4"), counts
