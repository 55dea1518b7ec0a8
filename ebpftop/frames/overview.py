"""The overview of a tape: the increase of each view, in a bounded number of steps that double in length as the tape
grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ebpftop.frames.changes import Moved
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import FIRST, FOLDED, Events, Loaded, Snapshot, ViewInfo
from ebpftop.frames.tape_format import Line

STEPS = 256  # of a line; twice as many are merged in pairs
LINES = 512
_HISTOGRAMS = 64  # lines with powers, 256 KiB each
_POWERS = 64
_SECOND = 1_000_000_000
_NUMBERS = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Gains:
    """The increase of one counter of a view, or the number of its events (""). gains: int64, one per step from the step
    `first` on.

    powers, cells: for a histogram, powers of two (slot >> 3) and the gains of each, (powers × steps).
    """

    run: int
    view: str
    counter: str
    first: int
    gains: Array
    powers: Array
    cells: Array


@dataclass(frozen=True, slots=True)
class Outline:
    """What a tape's index says of all of it. begin, end: monotonic ns. Steps are `step_ns` long from `begin` on."""

    begin: int
    end: int
    step_ns: int
    lines: list[Gains]

    def of(self, run: int, view: str, counter: str) -> Gains | None:
        """The line of a counter of a view, "" for the number of its events."""
        wanted = run, view, counter
        return next((line for line in self.lines if (line.run, line.view, line.counter) == wanted), None)


def gains_of(line: Line) -> Gains | None:
    """A line of an index; None if no writer would have written it."""
    steps, rest = divmod(len(line.gains), _NUMBERS.itemsize)
    powers = np.frombuffer(line.powers, "u1")
    if rest or line.first + steps > 2 * STEPS or len(line.cells) != len(powers) * len(line.gains):
        return None
    if len(powers) and (powers.max() >= _POWERS or not np.all(np.diff(powers.astype(np.int64)) > 0)):
        return None
    gains, cells = (np.frombuffer(part, _NUMBERS) for part in (line.gains, line.cells))
    if any(len(part) and part.max() >= 1 << 62 for part in (gains, cells)):
        return None
    table = cells.astype(np.int64).reshape(len(powers), steps)
    return Gains(line.run, line.view, line.counter, line.first, gains.astype(np.int64), powers, table)


@dataclass(slots=True)
class _Kept:
    """gains: (powers or 1) × steps. sums: the current sums of the map, likewise."""

    gains: Array
    sums: Array


@dataclass(slots=True)
class _Run:
    """base: whether the next snapshot is one."""

    views: list[ViewInfo]
    begun: bool = False
    base: bool = False
    kept: dict[tuple[str, str], _Kept] = field(default_factory=dict)


class Overview:
    """Takes changes, at `now` (ns since the tape's start)."""

    def __init__(self) -> None:
        self.now = 0
        self.step_ns = _SECOND
        self._runs: dict[int, _Run] = {}
        self._lines = self._histograms = 0

    def loaded(self, frame: Loaded) -> None:
        self._runs.setdefault(frame.run, _Run(frame.views))

    def events(self, frame: Events) -> None:
        for view in self._views(frame.run, frame.map):
            self._put(frame.run, view, "", np.array([frame.count]))

    def comes(self, frame: Snapshot) -> None:
        """Its changes follow."""
        if known := self._runs.get(frame.run):
            known.base, known.begun = not known.begun and frame.seq > FIRST, True

    def moved(self, run: int, map_: str, moved: Moved) -> None:
        """The rows of a map changed."""
        for view in self._views(run, map_):
            for counter in _counters(view):
                columns = (moved.stayed, moved.born, moved.gone)
                if all(counter not in each or each[counter].dtype.kind == "u" for each in columns):
                    self._account(run, view, counter, moved)

    def lines(self) -> list[Line]:
        """All gains."""
        lines = []
        for number, run in self._runs.items():
            for (view, counter), kept in run.kept.items():
                steps = np.flatnonzero(kept.gains.any(axis=0))
                if not len(steps):
                    continue
                part = kept.gains[:, steps[0] : steps[-1] + 1].astype(_NUMBERS)
                powers = np.flatnonzero(part.any(axis=1)) if len(part) > 1 else np.zeros(0, np.intp)
                lines.append(
                    Line(
                        run=number,
                        view=view,
                        counter=counter,
                        first=int(steps[0]),
                        gains=part.sum(axis=0).astype(_NUMBERS).tobytes(),
                        powers=powers.astype("u1").tobytes(),
                        cells=part[powers].tobytes(),
                    )
                )
        return lines

    def _views(self, run: int, map_: str) -> Iterable[ViewInfo]:
        known = self._runs.get(run)
        return [view for view in known.views if view.map == map_] if known else ()

    def _kept(self, run: int, view: ViewInfo, counter: str) -> _Kept | None:
        lines = self._runs[run].kept
        kept = lines.get((view.name, counter))
        histogram = view.show == "histogram"
        if kept is None and self._lines < LINES and (self._histograms < _HISTOGRAMS or not histogram):
            self._lines += 1
            self._histograms += histogram
            rows = _POWERS if histogram else 1
            kept = _Kept(np.zeros((rows, 2 * STEPS), np.int64), np.zeros(rows, np.int64))
            lines[view.name, counter] = kept
        return kept

    def _account(self, run: int, view: ViewInfo, counter: str, moved: Moved) -> None:
        """Count gains like a ledger: of a value that shrank, all of it; of folded rows, the increase of their sum."""
        kept = self._kept(run, view, counter)
        if kept is None:
            return
        rows, slot = len(kept.sums), view.slot if view.show == "histogram" else ""

        def sums(columns: Mapping[str, Array], values: Array, chosen: Array) -> Array:
            total = np.zeros(rows, np.int64)
            at = np.minimum(columns[slot][chosen] >> 3, rows - 1) if slot else np.zeros(np.count_nonzero(chosen), int)
            np.add.at(total, at.astype(np.intp), values[chosen].astype(np.int64))
            return total

        def folded(columns: Mapping[str, Array]) -> Array:
            process = columns.get(view.process_field or "")
            found = np.zeros(len(columns[counter]), bool) if process is None else np.asarray(process == FOLDED)
            return found | (columns[view.thread_field] == 0) if view.thread_field else found

        one, more = np.zeros(rows, np.int64), np.zeros(rows, np.int64)  # of rows, and of those that others went into
        back = np.zeros(rows, np.int64)  # what rows had that were folded, and began again
        if counter in moved.gains:
            gains, now = moved.gains[counter], moved.stayed[counter].astype(np.int64)
            into = folded(moved.stayed)
            one += sums(moved.stayed, np.where(gains < 0, now, gains), ~into)
            more += sums(moved.stayed, gains, into)
            back += sums(moved.stayed, now - gains, (gains < 0) & ~into)
            kept.sums += sums(moved.stayed, gains, np.ones(len(gains), bool))
        if counter in moved.born:
            into = folded(moved.born)
            one += sums(moved.born, moved.born[counter], ~into)
            more += sums(moved.born, moved.born[counter], into)
        gone = sums(moved.gone, moved.gone[counter], np.ones(len(moved.gone[counter]), bool))
        gained = one + more - kept.sums if moved.anew else one + np.maximum(more - gone - back, 0)
        kept.sums = one + more if moved.anew else kept.sums - gone
        if counter in moved.born and not moved.anew:
            kept.sums += sums(moved.born, moved.born[counter], np.ones(len(moved.born[counter]), bool))
        if not self._runs[run].base:
            self._add(kept, np.maximum(gained, 0))

    def _put(self, run: int, view: ViewInfo, counter: str, gained: Array) -> None:
        kept = self._kept(run, view, counter)
        if kept is not None:
            self._add(kept, gained)

    def _add(self, kept: _Kept, gained: Array) -> None:
        while self.now >= 2 * STEPS * self.step_ns:
            self.step_ns *= 2
            for run in self._runs.values():
                for each in run.kept.values():
                    each.gains[:, :STEPS] = each.gains[:, ::2] + each.gains[:, 1::2]
                    each.gains[:, STEPS:] = 0
        kept.gains[:, self.now // self.step_ns] += gained


def _counters(view: ViewInfo) -> list[str]:
    if view.show in ("histogram", "stacks"):
        return [] if view.gauge else [view.count]
    return view.counters
