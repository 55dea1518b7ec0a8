"""The rows of a stacks view: call stacks, their processes, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from ebpftop.base.gaps import is_gap
from ebpftop.frames.columns import Array, Values, take
from ebpftop.frames.messages import Function, ViewInfo
from ebpftop.frames.stacks import STACK
from ebpftop.model.following import filtered
from ebpftop.model.moments import Moments, counted
from ebpftop.model.narrowing import selected_rows
from ebpftop.model.past.past import Across
from ebpftop.model.past.span import INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.readings import across, extent, stacks
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect, Scope
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.stats.flame import Paths

Side = Literal["kernel", "user", "python", "missing", "head"]

UNKNOWN = "[unknown]"


class StackFrame(NamedTuple):
    """A frame of a call stack, equal if the function is. Text is hostile. head: the owner, not a function."""

    name: str
    module: str
    side: Side

    @classmethod
    def of(cls, function: Function) -> StackFrame:
        return cls(function.name, function.module, function.side)

    @property
    def is_code(self) -> bool:
        """Whether it is a function, known or not."""
        return self.side not in ("missing", "head")

    @property
    def origin(self) -> str:
        """The module, or `kernel` for code in the kernel itself."""
        return self.module or ("kernel" if self.side == "kernel" else "")

    @property
    def label(self) -> str:
        """The name, or its replacement: `[stripped] libc.so.6`, `[no user stack]`."""
        if self.side == "missing":
            return f"[{self.gap or 'missing'}]"
        if self.name and not self.gap:
            return self.name
        return f"{self.name or UNKNOWN} {self.module.rpartition('/')[2]}".rstrip()

    @property
    def gap(self) -> str:
        """The text of `base.gaps` that replaces a name, or the rest of the stack."""
        if self.side == "missing":
            return self.name.strip("[]")
        words = self.name[1:-1]
        return words if self.side == "user" and self.name == f"[{words}]" and is_gap(words) else ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Rows of a stacks view with gains in the window. keys: the view's `by` fields. stacks: one per row, indices of
    `functions`, outermost first. counts: in the window. before: counts before the moment since which growth is shown,
    if requested.
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
        """The rows as paths of frames: a function is one frame at any address. `heads`, one per
        row, begin the paths.
        """
        numbers: dict[StackFrame, int] = {}
        number = np.array([numbers.setdefault(StackFrame.of(each), len(numbers)) for each in self.functions], np.int64)
        paths = Paths.of(self.stacks, self.counts, self.before).renamed(number)
        if heads:
            first = [numbers.setdefault(StackFrame(head, "", "head"), len(numbers)) for head in heads]
            paths = paths.headed(np.array(first, np.int64))
        return paths, list(numbers)


def profile(run: Run, view: ViewInfo, wanted: Wanted = INTERVAL, selection: Selection = EVERYTHING) -> Profile:
    """The rows of a stacks view with gains in a span."""
    keys, numbers, counts = stacks(run, view, wanted, selection)
    return Profile(keys, run.stacks.lookup(numbers.tolist()), counts, run.stacks.functions)


def samples(
    run: Run,
    view: ViewInfo,
    span: Span,
    cpu: int | None = None,
    selection: Selection = EVERYTHING,
    aspect: Aspect = PLAIN,
) -> Array:
    """The single samples of a span, from its start on, before its end, as in `Moments`; of one CPU or of all, narrowed
    by selection and filter.
    """
    moments = run.moments.get(view.name)
    found = moments.within(span, cpu) if moments is not None else Moments(view).all
    fields = {STACK: found["stack"], **{name: found["process"] for name in view.by}}
    rows = selected_rows(selection, view, fields.__getitem__, len(found), stacks=run.stacks)
    if rows is not None:
        found, fields = found[rows], {name: values[rows] for name, values in fields.items()}
    return found[filtered(view, aspect, fields, len(found), selection)] if aspect.query else found


def sampled(run: Run, view: ViewInfo, span: Span, cpu: int | None = None, selection: Selection = EVERYTHING) -> Profile:
    """The stacks of `samples`, and the number of samples of each."""
    processes, stacks, counts = counted(samples(run, view, span, cpu, selection))
    keys: dict[str, Values] = {name: processes for name in view.by}
    return Profile(keys, run.stacks.lookup(stacks.tolist()), counts, run.stacks.functions)


def shown(run: Run, view: ViewInfo, scope: Scope) -> Profile:
    """The rows of a stacks view according to its aspect: of a slice, of the growth, or of the span."""
    aspect, selection = scope.of(run, view), scope.selection
    if aspect.slice is not None:
        return sampled(run, view, aspect.slice.span, aspect.slice.cpu, selection)
    if aspect.since is not None and run.last is not None:
        end = min(run.last.monotonic_ns, scope.wanted.end)
        found = grown(run, view, Span(min(aspect.since, end), end), selection)
        return found.take(np.flatnonzero(found.counts))
    return profile(run, view, scope.wanted, selection)


def grown(run: Run, view: ViewInfo, span: Span, selection: Selection = EVERYTHING) -> Profile:
    """The gains of a stacks view's rows in a span, and before its start."""
    past = run.pasts.get(view.name)
    if past is None:
        return profile(run, view, START, selection)
    found = across(run, view, selection, Span(end=span.end) if view.gauge else span, Span(end=span.start))
    counts, before = found.gains
    return _of_past(run, view, found, np.maximum(counts - before, 0) if view.gauge else counts, before)


def compared(run: Run, view: ViewInfo, a: Wanted, b: Wanted, selection: Selection = EVERYTHING) -> Profile:
    """The rows of a stacks view with gains in one of two spans: in B, and as `before` in A; for gauges, the values at
    the end of each.
    """
    spans = [extent(run, view, each).span for each in (b, a)]
    if view.name not in run.pasts or None in spans:
        return profile(run, view, b, selection)
    found = across(run, view, selection, *(Span(end=each.end) if view.gauge else each for each in spans if each))
    counts, before = found.gains
    return _of_past(run, view, found, counts, before)


def _of_past(run: Run, view: ViewInfo, found: Across, counts: Array, before: Array | None = None) -> Profile:
    stacks = found.keys[STACK]
    assert isinstance(stacks, np.ndarray)
    keys = {name: found.keys[name] for name in view.by}
    return Profile(keys, run.stacks.lookup(stacks.tolist()), counts, run.stacks.functions, before)


RECENT = 10.0  # seconds


def recent(wanted: Wanted) -> Wanted:
    """The last ten seconds instead of the last interval, which has too few samples."""
    return Recent(RECENT, wanted.end) if isinstance(wanted, Recent) and wanted.seconds <= 0 else wanted
