"""The rows of a comparison: for each number before, after and the change, with the biggest changes on top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ebpftop.frames.columns import Array, Values, take
from ebpftop.model.comparing import words
from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.shown import PLACES
from ebpftop.ui.drawing import names
from ebpftop.ui.widgets.columns import BAR, GridColumn
from ebpftop.ui.widgets.rows import Rows, TableColumn, arranged

_FAR = 20  # more than any priority in a manifest
FIRST = 10  # what the number that orders the rows has more of
PARTS = ("a", "b", "change")  # columns of a number


def compared_rows(found: ViewComparison) -> Rows:
    """Rows without any count in either span are left out."""
    order = found.order()
    keys = {name: take(values, order) for name, values in found.keys.items()}
    numbers: list[TableColumn] = []
    for at, number in enumerate(found.numbers):
        first = number is found.first
        room = 0 if first else -at if found.histograms is None else at - len(found.numbers)
        numbers += _of(number.take(order), room, first=first)  # of percentiles, the highest stays longest
    columns = [
        column if column in numbers else _key(column)
        for column in arranged(found.columns, keys, numbers, [], found.processes)
        if column.look.name != BAR
    ]
    people = _identities(found, keys)
    return Rows(
        count=len(order),
        keys=keys,
        columns=columns,
        gone=lambda row: people is not None and names.ended(int(people[row]), found.processes),
        about=lambda row: "" if people is None else names.described(int(people[row]), found.processes),
        ours=found.own[order],
    )


def number_of(column: str) -> str:
    """The number that a column belongs to; empty for others."""
    name, _, part = column.rpartition(".")
    return name if part in PARTS else ""


def _key(column: TableColumn) -> TableColumn:
    """The subject of a row is hidden after all numbers; its details are hidden first, and its pid before the first
    number.
    """
    look, part = column.look, column.look.name.rpartition(".")[2]
    more = {**dict.fromkeys(("parent", "command", *PLACES), -_FAR), "pid": FIRST // 2}.get(part, _FAR)
    return replace(column, look=replace(look, priority=look.priority + more))


def _of(number: Number, priority: int, *, first: bool) -> list[TableColumn]:
    """Before, after and change; rows are ordered by the change of the first number."""

    def side(name: str, title: str, pair: Pair) -> TableColumn:
        look = _look(f"{number.name}.{name}", title, 7 if number.rate or number.gauge else 13, priority)
        return TableColumn(look, lambda row: words.text(number, pair, row), lambda: pair[1])

    count = len(number.before[0])
    most: Callable[[], Array] = (lambda: np.arange(count, 0, -1)) if first else (lambda: _most(number))
    change = _look(f"{number.name}.change", "change", 8, priority)
    return [
        side("a", f"{words.title(number)} A", number.before),
        side("b", "B", number.after),
        TableColumn(change, lambda row: words.change(number, row), most),
    ]


def _most(number: Number) -> Array:
    """Sort key: changed rows first, then by the size of the change."""
    order = np.lexsort((np.abs(number.change), number.changed))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return place


def _look(name: str, title: str, least: int, priority: int) -> GridColumn:
    return GridColumn(name, title, numeric=True, least=least, priority=priority)


def _identities(found: ViewComparison, keys: dict[str, Values]) -> Array | None:
    """The process of each row, if rows are about processes."""
    values = next((keys[column.field] for column in found.columns if column.is_process), None)
    return values if isinstance(values, np.ndarray) else None
