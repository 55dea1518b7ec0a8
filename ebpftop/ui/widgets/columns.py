"""Chooses the columns of a grid that fit its width, and their widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2
READABLE = 28  # cells
BAR = "bar"  # name of the column of bars


@dataclass(frozen=True, slots=True)
class GridColumn:
    """The look of a column. `least` and `most` bound its width in cells; the stretching column takes the rest.

    priority: columns that don't fit are hidden, the lowest first. shorten: shortens a text to so many cells, if
    possible, before it is cut.
    """

    name: str
    title: str
    numeric: bool = False
    quiet: bool = False
    least: int = 6
    most: int = 40
    stretch: bool = False
    priority: int = 0
    shorten: Callable[[str, int], str] | None = None


def lay_out(columns: Sequence[GridColumn], seen: dict[str, int], width: int) -> list[tuple[GridColumn, int]]:
    """The columns that fit and their widths; `seen` is the widest text of each.

    If they don't fit, texts are cut (never numbers), then columns are hidden: first those without any text so far
    (unless their priority is above 0: then an empty column matters, too), then those with the lowest priority, starting
    with the last. Columns are also hidden before a stretching text (a path) is cut below `READABLE`. The bar takes only
    space that no column needs. The remaining space goes to the stretching columns, by priority, the first one first.
    """
    least = {column.name: _least(column, seen.get(column.name, 0)) for column in columns}
    good = {c.name: max(least[c.name], min(seen.get(c.name, 0), READABLE) if c.stretch else 0) for c in columns}
    needed = {c.name: max(good[c.name], 0 if c.stretch else min(seen.get(c.name, 0), c.most)) for c in columns}
    shown = [column for column in columns if column.name != BAR]
    empty = {c.name for c in shown if c.priority <= 0 and not seen.get(c.name)} if seen else set()
    order = {column.name: (column.name not in empty, column.priority, -at) for at, column in enumerate(columns)}

    def last() -> GridColumn:
        return min(shown, key=lambda column: order[column.name])

    def fit(chosen: Sequence[GridColumn], widths: dict[str, int]) -> bool:
        return sum(widths[column.name] + GAP for column in chosen) - GAP <= width

    while len(shown) > 1 and not fit(shown, least):
        shown.remove(last())
    while (
        not fit(shown, good)
        and good[last().name] == least[last().name]
        and any(good[column.name] > least[column.name] for column in shown)
    ):
        shown.remove(last())
    with_bar = [column for column in columns if column in shown or column.name == BAR]
    if fit(with_bar, needed):
        shown = with_bar
    widths = good if fit(shown, good) else least
    left = width - sum(widths[column.name] + GAP for column in shown) + GAP
    stretched = sorted((column for column in shown if column.stretch), key=lambda column: -column.priority)
    requests = [(column, good[column.name]) for column in stretched]
    requests += [(column, needed[column.name]) for column in shown]
    requests += [(column, seen.get(column.name, 0)) for column in shown]
    for column, wanted in [*requests, *((column, column.most) for column in stretched)]:
        more = max(0, min(left, min(column.most, wanted) - widths[column.name]))
        widths[column.name] += more
        left -= more
    return [(column, min(width, widths[column.name])) for column in shown]


def _least(column: GridColumn, seen: int) -> int:
    title = cell_len(column.title) + 2 if column.title else 0
    return max(column.least, title, min(seen, column.most) if column.numeric else 0)
