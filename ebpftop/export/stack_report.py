"""Call stacks for all formats: their owners, their frames, and the functions with the largest values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ebpftop.export.fields import Field, fields
from ebpftop.frames.messages import ColumnInfo, Function, Process, ViewInfo
from ebpftop.model.readings import Window
from ebpftop.model.run import Run
from ebpftop.model.stacks import Profile, Symbol, profile

T = TypeVar("T", bound=Hashable)
Labels = dict[str, Any]
Row = tuple[Labels, list[Function], int]  # owner, functions outermost first, count


class Top(NamedTuple):
    """A function, the value of the stacks that end in it, and of those that contain it."""

    symbol: Symbol
    own: int
    total: int


@dataclass(frozen=True, slots=True)
class StacksPart:
    """A stacks view's rows by descending count; those without new values are omitted. fields: the stacks' owners."""

    view: ViewInfo
    fields: list[Field]
    profile: Profile

    @property
    def count(self) -> int:
        return int(self.profile.counts.sum())

    def rows(self) -> Iterator[Row]:
        functions, names = self.profile.functions, [field.name for field in self.fields]
        for values, stack, count in zip(self.labels(), self.profile.stacks, self.profile.counts.tolist(), strict=True):
            yield dict(zip(names, values, strict=True)), [functions[place] for place in stack.tolist()], count

    def merged(self, whose: Sequence[T]) -> list[tuple[T, tuple[Symbol, ...], int]]:
        """Merge rows with the same `whose` (one per row) and functions, at any addresses; largest first."""
        sums: Counter[tuple[T, tuple[Symbol, ...]]] = Counter()
        for each, (_, functions, count) in zip(whose, self.rows(), strict=True):
            sums[each, tuple(map(Symbol.of, functions))] += count
        return [(each, symbols, count) for (each, symbols), count in sums.most_common()]

    def labels(self) -> list[tuple[Any, ...]]:
        """The values of `fields`, by row."""
        return list(zip(*(field.values for field in self.fields), strict=True)) or [()] * len(self.profile)

    def heads(self) -> list[str]:
        """The owner of each row's stack, such as a process's name; "" if the view has no such fields."""
        named = [field for field in self.fields if not field.name.endswith("pid")] or self.fields
        rows = zip(*(field.values for field in named), strict=True)
        return [" ".join(str(value) for value in values if value is not None) for values in rows] or [""] * len(
            self.profile
        )

    def top(self) -> list[Top]:
        """All functions by descending own value, then total."""
        paths, symbols = self.profile.paths()
        own, total = paths.totals(len(symbols))
        return [Top(symbols[at], int(own[at]), int(total[at])) for at in np.lexsort((-total, -own)) if total[at]]


def stacks_part(run: Run, view: ViewInfo, processes: Mapping[int, Process], window: Window) -> StacksPart:
    """A stacks view's data in the window."""
    found = profile(run, view, window)
    found = found.take(np.argsort(-found.counts, kind="stable"))
    known = {column.field: column for column in view.columns}
    columns = [known.get(name) or ColumnInfo(field=name, title=name) for name in view.by]
    return StacksPart(view, [label for label in fields(columns, found.keys, processes) if not label.detail], found)
