"""The call stacks of a report: their owners, their frames, and the functions with the greatest counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ebpftop.base.gaps import NO_USER_STACK, explained
from ebpftop.base.query import words_of
from ebpftop.export.shown import Shown
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function, Process, ViewInfo
from ebpftop.model.own import leaves_out, own_rows
from ebpftop.model.past.span import ALL
from ebpftop.model.report_columns import ReportColumn, key_columns, matching
from ebpftop.model.run import Run
from ebpftop.model.scope import PLAIN, Aspect, Scope
from ebpftop.model.stacks import Profile, StackFrame, samples, shown

_TOLD = 100  # a gap is reported from the hundredth part of the whole on
T = TypeVar("T", bound=Hashable)
Labels = dict[str, Any]
Row = tuple[Labels, list[Function], int]  # owner, functions outermost first, count


class Top(NamedTuple):
    """A function, the value of the stacks that end in it, and of those that contain it."""

    frame: StackFrame
    own: int
    total: int


@dataclass(frozen=True, slots=True)
class Samples:
    """The single samples of a stacks view in the order of time. stacks: indices of `functions`, outermost first."""

    times: Array  # realtime ns
    cpus: Array
    owners: list[tuple[int, str]]  # pid and name
    numbers: list[int]  # the index of its stack, one a sample
    stacks: list[Array]
    functions: Sequence[Function]

    def each(self) -> Iterator[tuple[int, int, int, str, int]]:
        """(time, CPU, pid, name, number of the stack)"""
        for time, cpu, owner, number in zip(
            self.times.tolist(), self.cpus.tolist(), self.owners, self.numbers, strict=True
        ):
            yield time, cpu, *owner, number


@dataclass(frozen=True, slots=True)
class StacksPart:
    """Rows of a stacks view by falling count, without those that gained nothing. columns: the owners of the stacks.

    samples: the single samples; None if the view has none.
    """

    view: ViewInfo
    columns: list[ReportColumn]
    profile: Profile
    own: Array = field(default_factory=lambda: np.zeros(0, bool))  # rows about ebpftop's own processes
    shown: Shown | None = None
    samples: Callable[[], Samples] | None = None

    @property
    def count(self) -> int:
        return int(self.profile.counts.sum())

    @property
    def holds_own(self) -> bool:
        """Whether any row is about ebpftop's own processes, and rankings leave it out."""
        return bool(self.own.any())

    def others(self) -> StacksPart:
        """The part without the rows about ebpftop's own processes."""
        return self.take(np.flatnonzero(~self.own)) if self.holds_own else self

    def take(self, rows: Array) -> StacksPart:
        """Some of the rows, by their indices."""
        columns = [each._replace(values=[each.values[row] for row in rows.tolist()]) for each in self.columns]
        return StacksPart(self.view, columns, self.profile.take(rows), self.own[rows], self.shown)

    def rows(self) -> Iterator[Row]:
        functions, names = self.profile.functions, [column.shown.name for column in self.columns]
        for values, stack, count in zip(self.labels(), self.profile.stacks, self.profile.counts.tolist(), strict=True):
            yield dict(zip(names, values, strict=True)), [functions[place] for place in stack.tolist()], count

    def merged(self, whose: Sequence[T]) -> list[tuple[T, tuple[StackFrame, ...], int]]:
        """Rows with the same `whose` (one a row) and the same functions, at any addresses, merged into one; greatest
        first.
        """
        sums: Counter[tuple[T, tuple[StackFrame, ...]]] = Counter()
        for each, (_, functions, count) in zip(whose, self.rows(), strict=True):
            sums[each, tuple(map(StackFrame.of, functions))] += count
        return [(each, frames, count) for (each, frames), count in sums.most_common()]

    def labels(self) -> list[tuple[Any, ...]]:
        """The values of `columns`, row by row."""
        return list(zip(*(column.values for column in self.columns), strict=True)) or [()] * len(self.profile)

    def heads(self) -> list[str]:
        """The owner of each row's stack, a process by its name; empty if the view doesn't distinguish owners."""
        named = [column for column in self.columns if column.shown.part != "pid"] or self.columns
        rows = zip(*(column.values for column in named), strict=True)
        return [" ".join(str(value) for value in values if value is not None) for values in rows] or [""] * len(
            self.profile
        )

    def top(self) -> list[Top]:
        """All functions by falling own value, then by their total."""
        paths, frames = self.profile.paths()
        own, total = paths.totals(len(frames))
        return [Top(frames[at], int(own[at]), int(total[at])) for at in np.lexsort((-total, -own)) if total[at]]

    def gaps(self) -> Iterator[tuple[str, str]]:
        """The gaps in at least a hundredth of the whole, the largest first: (the text of the gap, its explanation)."""
        paths, frames = self.profile.paths()
        _, total = paths.totals(len(frames))
        found: Counter[str] = Counter()
        for frame, value in zip(frames, total.tolist(), strict=True):
            found[frame.gap] += value
        for gap, value in found.most_common():
            if gap != NO_USER_STACK and value * _TOLD >= self.count and (told := explained(gap)):
                yield f"[{gap}]", told


def stacks_part(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> StacksPart:
    """The gain of a stacks view, in its current aspect."""
    found = part_of(run, view, processes, shown(run, view, scope), scope.of(run, view))
    return replace(found, samples=partial(_samples, run, view, processes)) if view.moments else found


def _samples(run: Run, view: ViewInfo, processes: Mapping[int, Process]) -> Samples:
    """All samples that are kept."""
    found = samples(run, view, ALL)
    ahead = run.last.realtime_ns - run.last.monotonic_ns if run.last else 0
    unknown = Process(id=0, tgid=0, start_ns=0)
    owners = [processes.get(identity, unknown) for identity in found["process"].tolist()]
    numbers, codes = np.unique(found["stack"], return_inverse=True)
    return Samples(
        times=found["time"] + ahead,
        cpus=found["cpu"],
        owners=[(each.tgid, each.comm) for each in owners],
        numbers=codes.tolist(),
        stacks=run.stacks.lookup(numbers.tolist()),
        functions=run.stacks.functions,
    )


def part_of(
    run: Run, view: ViewInfo, processes: Mapping[int, Process], found: Profile, aspect: Aspect = PLAIN
) -> StacksPart:
    """A stacks view's part from its rows."""
    found = found.take(np.argsort(-found.counts, kind="stable"))
    leaves = leaves_out(run.params) and not aspect.own
    own = own_rows(view.by_columns, found.keys, len(found), processes) & leaves
    part = StacksPart(view, key_columns(view.by_columns, found.keys, processes), found, own)
    if not aspect.query:
        return part
    return part.take(np.flatnonzero(matching(part.columns, len(found), words_of(aspect.query))))
