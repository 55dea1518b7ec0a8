"""Call stacks of two spans as one tree: each function's share of B and of A. Changes aren't judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import Process, ViewInfo
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.joined import name_of
from ebpftop.model.own import leaves_out, own_rows
from ebpftop.model.past.span import Span
from ebpftop.model.readings import extent
from ebpftop.model.selection import EVERYTHING, Selection
from ebpftop.model.stacks import Profile, StackFrame, profile
from ebpftop.stats.flame import Paths


@dataclass(frozen=True, eq=False, slots=True)
class StacksComparison:
    """paths: of `frames`, with their values in B, and in A as `before`. They begin with the owner of the stack, if the
    view tells that. seconds: of each span. own: the part of ebpftop's own processes in each, which is left out.
    """

    view: ViewInfo
    paths: Paths
    frames: list[StackFrame]
    seconds: tuple[float, float]
    own: tuple[int, int]

    def functions(self) -> list[FunctionChange]:
        """The functions, those whose own share grew most first, those that shrank most last."""
        shares = self.paths.shares(len(self.frames))
        order = np.lexsort((-shares.total, -shares.total_change, -shares.own_change))
        return [
            FunctionChange(
                self.frames[at],
                (float(shares.own_before[at]), float(shares.own[at])),
                (float(shares.total_before[at]), float(shares.total[at])),
            )
            for at in order.tolist()
            if self.frames[at].side != "head" and (shares.total[at] or shares.total_before[at])
        ]


class FunctionChange(NamedTuple):
    """Percent of A and of B. own: stacks that end in the function; total: stacks that contain it."""

    frame: StackFrame
    own: tuple[float, float]
    total: tuple[float, float]


def compare_stacks(a: Half, b: Half, view: ViewInfo, selection: Selection = EVERYTHING) -> StacksComparison | None:
    """None if one of the spans holds no step of the view. Gauges are those at the end of each span."""
    extents = extent(a.run, view, a.span), extent(b.run, view, b.span)
    if not all(each.seconds for each in extents):
        return None
    found, own = [], []
    for half, each in zip((a, b), extents, strict=True):
        assert each.span is not None
        rows = profile(half.run, view, Span(end=each.span.end) if view.gauge else each.span, selection)
        ours = own_rows(view.by_columns, rows.keys, len(rows), half.processes) & leaves_out(b.run.params)
        own.append(int(rows.counts[ours].sum()))
        found.append(rows.take(np.flatnonzero(~ours)))
    heads = [head for half, rows in zip((a, b), found, strict=True) for head in _heads(view, rows, half.processes)]
    paths, frames = _beside(*found).paths(heads)
    return StacksComparison(view, paths, frames, (extents[0].seconds, extents[1].seconds), (own[0], own[1]))


def _beside(before: Profile, after: Profile) -> Profile:
    """The rows of both, without their keys."""
    more = len(before.functions)
    none, nothing = np.zeros_like(before.counts), np.zeros_like(after.counts)
    return Profile(
        stacks=[*before.stacks, *(stack + more for stack in after.stacks)],
        counts=np.concatenate((none, after.counts)),
        functions=[*before.functions, *after.functions],
        before=np.concatenate((before.counts, nothing)),
    )


def _heads(view: ViewInfo, rows: Profile, processes: Mapping[int, Process]) -> list[str]:
    """The owner of each row's stack, a process by its name; none if the view doesn't tell."""
    owners = [_names(rows.keys[info.field], info.is_process, processes) for info in view.by_columns]
    return [" ".join(names) for names in zip(*owners, strict=True)]


def _names(values: Values, is_process: bool, processes: Mapping[int, Process]) -> list[str]:
    if isinstance(values, Labels):
        return values.texts()
    return [name_of(number, processes) if is_process else str(number) for number in values.tolist()]
