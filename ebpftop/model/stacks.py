"""The rows of a stacks view: call stacks, their processes, and their counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np

from ebpftop.frames.columns import Array, Values, take
from ebpftop.frames.messages import Function, ViewInfo
from ebpftop.frames.stacks import STACK
from ebpftop.model.ledger import Ledger, Window
from ebpftop.model.readings import elapsed, interval
from ebpftop.model.run import Run
from ebpftop.rows.matching import align
from ebpftop.stats.flame import Paths

Side = Literal["kernel", "user", "missing", "head"]

UNKNOWN = "[unknown]"


class StackFrame(NamedTuple):
    """A frame of a call stack, equal where the function is. Text is hostile. head: the owner, not a function."""

    name: str
    module: str
    side: Side

    @classmethod
    def of(cls, function: Function) -> StackFrame:
        return cls(function.name, function.module, function.side)

    @property
    def origin(self) -> str:
        """The module, or `kernel` for what the kernel itself holds."""
        return self.module or ("kernel" if self.side == "kernel" else "")

    @property
    def label(self) -> str:
        """The name, or what stands in for it: `[unknown] libc.so.6`, `[no user stack]`."""
        if self.side == "missing":
            return f"[{self.name.strip('[]') or 'missing'}]"
        return self.name or f"{UNKNOWN} {self.module.rpartition('/')[2]}".rstrip()


@dataclass(frozen=True, slots=True)
class Profile:
    """Rows of a stacks view that gained something in the window. keys: the view's `by` fields. stacks: one a row,
    indices of `functions`, outermost first. counts: in the window. before: until a mark, if there is one.
    """

    keys: dict[str, Values] = field(default_factory=dict)
    stacks: list[Array] = field(default_factory=list)
    counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    functions: Sequence[Function] = ()
    before: Array | None = None

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: Array) -> Profile:
        """Some of the rows, by their indices."""
        keys = {name: take(values, rows) for name, values in self.keys.items()}
        before = None if self.before is None else self.before[rows]
        return Profile(keys, [self.stacks[row] for row in rows.tolist()], self.counts[rows], self.functions, before)

    def paths(self, heads: Sequence[str] = ()) -> tuple[Paths, list[StackFrame]]:
        """The rows as paths of frames: a function is one frame at any address. `heads`, one a row, begin the paths."""
        numbers: dict[StackFrame, int] = {}
        number = np.array([numbers.setdefault(StackFrame.of(each), len(numbers)) for each in self.functions], np.int64)
        paths = Paths.of(self.stacks, self.counts, self.before).renamed(number)
        if heads:
            first = [numbers.setdefault(StackFrame(head, "", "head"), len(numbers)) for head in heads]
            paths = paths.headed(np.array(first, np.int64))
        return paths, list(numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A moment to compare with: what each row of a stacks view had gained until then."""

    keys: list[Array]
    counts: Array
    monotonic_ns: int

    @classmethod
    def now(cls, run: Run, view: ViewInfo) -> Mark | None:
        """The moment of the last sample; None while there are no rows."""
        ledger = run.ledgers.get(view.name)
        if ledger is None or run.last is None or not ledger.rows:
            return None
        return cls([each.copy() for each in _keys(ledger, view)], ledger.totals[view.count], run.last.monotonic_ns)

    def fits(self, run: Run) -> bool:
        """Whether the run is past it: a tape can go back."""
        return run.last is not None and run.last.monotonic_ns >= self.monotonic_ns

    def of(self, ledger: Ledger, view: ViewInfo) -> Array:
        """For each row of the ledger, what it had gained."""
        at = align(self.keys, _keys(ledger, view))
        return np.where(at >= 0, self.counts[at], 0)


def profile(run: Run, view: ViewInfo, window: Window, mark: Mark | None = None) -> Profile:
    """The rows of a stacks view; with a mark, what they gained since it (or in the interval), and until it."""
    ledger = run.ledgers.get(view.name)
    if ledger is None:
        return Profile(keys={name: np.zeros(0, np.int64) for name in view.by})
    counts = ledger.counts(view.count, window)
    before = None if mark is None else mark.of(ledger, view)
    if before is not None and window == "start":
        counts = np.maximum(counts - before, 0)
    rows = np.flatnonzero(counts if before is None else counts + before)
    return Profile(
        keys={name: take(ledger.values(name), rows) for name in view.by},
        stacks=run.stacks.lookup(ledger.numbers(STACK)[rows].tolist()),
        counts=counts[rows],
        functions=run.stacks.functions,
        before=None if before is None else before[rows],
    )


RECENT = 10.0  # seconds


class Recent:
    """The last seconds of a stacks view: one interval holds too few samples, and all since attaching says too little
    about now.
    """

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()  # a base, and what comes after it

    def profile(self, run: Run, view: ViewInfo) -> tuple[Profile, float]:
        """What the rows gained in the last `RECENT` seconds, and the seconds that this covers: fewer after a time in
        which nobody looked, 0 for all since attaching.
        """
        if view.gauge or run.last is None or elapsed(run) <= RECENT:
            self._note(run, view)
            return profile(run, view, "start"), 0.0
        now = run.last.monotonic_ns
        if self._marks and (self._marks[-1].monotonic_ns > now or self._age(self._marks[0], now) > 2 * RECENT):
            self._marks.clear()  # a tape went back, or nobody looked
        self._note(run, view)
        base = self._marks[0] if self._marks and self._marks[0].monotonic_ns < now else None
        if base is None:
            return profile(run, view, "interval"), interval(run)
        found = profile(run, view, "start", base)
        return replace(found.take(np.flatnonzero(found.counts)), before=None), self._age(base, now)

    def _note(self, run: Run, view: ViewInfo) -> None:
        """Keep the moment of the last sample, and one that is `RECENT` seconds older."""
        mark = Mark.now(run, view)
        if mark is None or (self._marks and self._marks[-1].monotonic_ns >= mark.monotonic_ns):
            return
        self._marks.append(mark)
        while len(self._marks) > 1 and self._age(self._marks[1], mark.monotonic_ns) >= RECENT:
            self._marks.popleft()

    @staticmethod
    def _age(mark: Mark, now: int) -> float:
        return (now - mark.monotonic_ns) / 1e9


def _keys(ledger: Ledger, view: ViewInfo) -> list[Array]:
    return [ledger.numbers(name) for name in (*view.by, STACK)]
