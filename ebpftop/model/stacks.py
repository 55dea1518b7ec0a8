"""What a stacks view shows: whose call stacks, of which symbols, brought how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from ebpftop.frames.columns import Array, Values, take
from ebpftop.frames.messages import Function, ViewInfo
from ebpftop.model.run import STACK, Run
from ebpftop.model.views import Window
from ebpftop.stats.flame import Paths

Side = Literal["kernel", "user", "missing", "head"]

UNKNOWN = "[unknown]"


class Symbol(NamedTuple):
    """What tells the frames of call stacks apart. Text is hostile. head: no function, but whose stacks follow."""

    name: str
    module: str
    side: Side

    @classmethod
    def of(cls, function: Function) -> Symbol:
        return cls(function.name, function.module, function.side)

    @property
    def label(self) -> str:
        """The name, or what is known instead: `[unknown] libc.so.6`, `[no user stack]`."""
        if self.side == "missing":
            return f"[{self.name.strip('[]') or 'missing'}]"
        return self.name or f"{UNKNOWN} {self.module.rpartition('/')[2]}".rstrip()


@dataclass(frozen=True, slots=True)
class Profile:
    """Rows of a stacks view that brought something in the window. keys: the view's `by` fields. stacks: one a row,
    places in `functions`, outermost first. counts: what they brought.
    """

    keys: dict[str, Values] = field(default_factory=dict)
    stacks: list[Array] = field(default_factory=list)
    counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    functions: Sequence[Function] = ()

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: Array) -> Profile:
        """Some of the rows, by their indices."""
        keys = {name: take(values, rows) for name, values in self.keys.items()}
        return Profile(keys, [self.stacks[row] for row in rows.tolist()], self.counts[rows], self.functions)

    def paths(self, heads: Sequence[str] = ()) -> tuple[Paths, list[Symbol]]:
        """The rows as paths of symbols, addresses in one function being one. `heads`, one a row, begin the paths."""
        numbers: dict[Symbol, int] = {}
        number = np.array([numbers.setdefault(Symbol.of(each), len(numbers)) for each in self.functions], np.int64)
        paths = Paths.of(self.stacks, self.counts).renamed(number)
        if heads:
            first = [numbers.setdefault(Symbol(head, "", "head"), len(numbers)) for head in heads]
            paths = paths.headed(np.array(first, np.int64))
        return paths, list(numbers)


def profile(run: Run, view: ViewInfo, window: Window) -> Profile:
    """The rows of a stacks view."""
    ledger = run.ledgers.get(view.name)
    if ledger is None:
        return Profile(keys={name: np.zeros(0, np.int64) for name in view.by})
    counts = (ledger.deltas if window == "interval" else ledger.totals)[view.count]
    rows = np.flatnonzero(counts)
    return Profile(
        keys={name: take(ledger.values(name), rows) for name in view.by},
        stacks=run.calls.stacks(ledger.numbers(STACK)[rows].tolist()),
        counts=counts[rows],
        functions=run.calls.functions,
    )
