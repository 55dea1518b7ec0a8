"""Steps in order of time: found by span, and merged when memory is short, those that are finest for their age first."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.model.past.block import STEPS, TIMES, Block, join, paired
from ebpftop.model.past.span import ALL, Recent, Span, Wanted

OPEN = 16  # steps that are blocks of their own; so many are joined
ROWS = 1 << 14  # of a block of more than two steps, as merging a block takes as long as it has cells
_ALIKE = 2.0  # steps are joined in one block where none is longer than so many of the others


class Steps:
    """blocks: oldest first; the last `open` ones have one step each. held: the bytes of all."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.open = 0
        self.held = 0

    @property
    def end(self) -> int | None:
        """The end of the last step, monotonic ns."""
        return self.blocks[-1].end if self.blocks else None

    @property
    def begin(self) -> int | None:
        """The beginning, before the first step, which ends later even if it has no length."""
        if not self.blocks:
            return None
        start, end, *_ = self.blocks[0].times[0].tolist()
        return int(min(start, end - 1))

    def append(self, block: Block) -> None:
        """Add a block of one step."""
        self.replace(len(self.blocks), len(self.blocks), [block])
        self.open += 1
        if self.open == OPEN or sum(len(each.numbers) for each in self.blocks[-self.open :]) >= ROWS:
            self._seal()

    def _seal(self) -> None:
        first = len(self.blocks) - self.open
        self.replace(first, len(self.blocks), [join(self.blocks[first:])])
        self.open = 0
        if first and self._joinable(first - 1):
            self.replace(first - 1, first + 1, [join(self.blocks[first - 1 :])])

    def replace(self, first: int, stop: int, blocks: list[Block]) -> None:
        """Replace the blocks first…stop by others."""
        self.held += sum(block.bytes for block in blocks) - sum(block.bytes for block in self.blocks[first:stop])
        self.blocks[first:stop] = blocks

    def finest(self) -> int | None:
        """The block with the shortest steps for their age; None if all closed blocks have one step."""
        several = [at for at in range(len(self.blocks) - self.open) if len(self.blocks[at]) > 1]
        now = self.blocks[-1].end if several else 0
        return max(several, key=lambda at: (now - self.blocks[at].end) / self.blocks[at].width, default=None)

    def pair(self, at: int) -> None:
        """Merge the steps of a block in pairs."""
        self.replace(at, at + 1, [paired(self.blocks[at])])

    def unite(self, at: int) -> None:
        """Join a block with a neighbour, if their steps are about as long."""
        for first in (at - 1, at):
            if first >= 0 and first + 1 < len(self.blocks) - self.open and self._joinable(first):
                self.replace(first, first + 2, [join(self.blocks[first : first + 2])])
                return

    def gather(self, *, all_of_them: bool = False) -> bool:
        """Join blocks of one step, the oldest first, so that their steps can be merged. False if there is only one, or
        only one and an open one, unless open ones shall be joined too.
        """
        sealed = len(self.blocks) - self.open
        if sealed > 1:
            self.replace(0, 2, [join(self.blocks[:2])])
        elif self.open > 1:
            self._seal()
        elif all_of_them and len(self.blocks) > 1:
            self.open = len(self.blocks)
            self._seal()
        else:
            return False
        return True

    def _joinable(self, first: int) -> bool:
        one, other = self.blocks[first : first + 2]
        short, long = sorted((one.width, other.width))
        few = len(one) + len(other) <= 2 or len(one.numbers) + len(other.numbers) <= ROWS
        return few and len(one) + len(other) <= STEPS and long <= _ALIKE * short

    def slices(self, span: Span = ALL) -> Iterator[tuple[Block, int, int]]:
        """The blocks with steps of a span, and which steps."""
        first = bisect_right(self.blocks, span.start, key=lambda block: block.end)
        for block in self.blocks[first:]:
            start = int(np.searchsorted(block.times["end"], span.start, "right"))
            stop = int(np.searchsorted(block.times["end"], span.end, "right"))
            if start >= stop:
                return
            yield block, start, stop

    def until(self, moment: int) -> int | None:
        """The end of the last step that ends up to a moment; None before the first one."""
        at = bisect_right(self.blocks, moment, key=lambda block: block.end)
        if at < len(self.blocks):
            ends = self.blocks[at].times["end"]
            steps = int(np.searchsorted(ends, moment, "right"))
            if steps:
                return int(ends[steps - 1])
        return self.blocks[at - 1].end if at else None

    def since(self, moment: int) -> int | None:
        """The end of the first step that ends at a moment or later; None after the last one."""
        at = bisect_left(self.blocks, moment, key=lambda block: block.end)
        if at == len(self.blocks):
            return None
        ends = self.blocks[at].times["end"]
        return int(ends[np.searchsorted(ends, moment)])

    def nearest(self, moment: int) -> int:
        """The beginning or end of a step nearest to a moment; the moment itself in an empty past."""
        edges = [edge for edge in (self.until(moment), self.since(moment), self.begin) if edge is not None]
        return min(edges, key=lambda edge: abs(edge - moment), default=moment)

    def step(self, end: int) -> Span:
        """The step with this end."""
        before = self.until(end - 1)
        return Span(self.begin or 0 if before is None else before, end)

    def covered(self, wanted: Wanted) -> Span | None:
        """The whole steps for a span: those that end in it or, if it is shorter than a step, that step. None before the
        first step and after the last one.
        """
        end = self.until(wanted.end)
        if isinstance(wanted, Recent):
            if end is None or wanted.seconds <= 0:
                return None if end is None else self.step(end)
            first = self.nearest(end - round(wanted.seconds * 1e9)) if wanted.seconds < inf else self.begin or 0
            return Span(first, end) if first < end else self.step(end)
        start = self.until(wanted.start)
        if end is not None and start != end:
            return Span(self.begin or 0 if start is None else start, end)
        whole = self.since(wanted.end)
        if whole is None or (end is None and wanted.end <= (self.begin or 0)):
            return None
        return self.step(whole)

    def snapped(self, span: Span) -> Span | None:
        """The span extended to whole steps: all steps that it overlaps, at least one; None in an empty past."""
        times = self.times()
        if not len(times):
            return None
        starts, ends = times["start"], times["end"]
        first = min(int(np.searchsorted(ends, span.start, "right")), len(times) - 1)
        begun, ended = np.searchsorted(starts, span.end, "left"), np.searchsorted(ends, span.end, "right")
        last = max(int(begun), int(ended), first + 1) - 1
        return Span(min(int(starts[first]), int(ends[first]) - 1), int(ends[last]))

    def about(self, span: Span) -> Span:
        """The whole steps nearest to a span: all that it overlaps, unless they are more than twice as long and others
        are inside it. The span itself in an empty past.
        """
        whole = self.snapped(span) or span
        if whole.seconds > 2 * span.seconds:
            times = self.times(span)
            inside = times[times["start"] >= span.start]
            if len(inside):
                return Span(int(inside["start"][0]), int(inside["end"][-1]))
        return whole

    def latest(self, count: int, until: int) -> Span:
        """The span of the last steps that end up to a moment; steps with the same end count as one."""
        last = bisect_right(self.blocks, until, key=lambda block: int(block.times["end"][0]))
        ends: list[int] = []
        for block in reversed(self.blocks[:last]):
            ends = [*(end for end in block.times["end"].tolist() if end <= until), *ends]
            if len(ends) > count:
                return Span(ends[-count - 1], until)
        return Span(end=until)

    def times(self, span: Span = ALL) -> Array:
        """`TIMES` of each step."""
        parts = [block.times[start:stop] for block, start, stop in self.slices(span)]
        return np.concatenate(parts) if parts else np.zeros(0, TIMES)
