"""Columns of a table whose texts or numbers are all known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.rows import TableColumn, ranks


def text(
    name: str, title: str, least: int, texts: list[str], *, most: int = 40, stretch: bool = False, priority: int = 0
) -> TableColumn:
    look = GridColumn(name, title, least=least, most=most, stretch=stretch, priority=priority)
    return TableColumn(look, lambda row: texts[row], lambda: ranks(texts), lambda: texts)


def number(
    name: str,
    title: str,
    written: Callable[[float | None], str],
    values: list[float | None],
    least: int,
    priority: int = 0,
) -> TableColumn:
    look = GridColumn(name, title, numeric=True, least=least, priority=priority)
    return TableColumn(look, lambda row: written(values[row]), lambda: np.array(values, np.float64))
