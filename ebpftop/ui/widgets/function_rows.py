"""The functions in call stacks as rows of a table: their values, or how their shares changed between two spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.model.comparing.words import points
from ebpftop.model.dimensions import function_key
from ebpftop.model.stacks import Profile, StackFrame
from ebpftop.stats import formatting
from ebpftop.stats.flame import Paths
from ebpftop.ui.drawing.function_names import shortened
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.widgets.columns import BAR, GridColumn
from ebpftop.ui.widgets.frame_facts import facts, places_of, why
from ebpftop.ui.widgets.rows import Rows, TableColumn

_NAME = GridColumn("function", "function", least=16, most=60, stretch=True, priority=1, shorten=shortened)
GREW = "own±"  # the column by which compared functions are sorted


def function_rows(paths: Paths, frames: Sequence[StackFrame], found: Profile, unit: str) -> Rows:
    """Functions with their own value (stacks that end in them) and their total (stacks that contain them).

    found: the stacks of these paths.
    """
    own, total = paths.totals(len(frames))
    whole = max(1, paths.total)

    def number(name: str, values: Array) -> list[TableColumn]:
        share = TableColumn(
            GridColumn(f"{name}%", "%", numeric=True, quiet=True, least=5),
            lambda row: formatting.percent(round(100 * values[row] / whole, 1)),
            lambda: values,
        )
        value = TableColumn(
            GridColumn(name, name, numeric=True, least=7),
            lambda row: formatting.value(int(values[row]), unit),
            lambda: values,
        )
        return [value, share]

    shown = _functions(frames, total > 0)
    numbers = [*number("own", own[shown]), *number("total", total[shown])]
    bar = TableColumn(GridColumn(BAR, "", least=6, most=16), lambda row: "", lambda: np.zeros(0))
    return _rows([frames[at] for at in shown.tolist()], numbers, [bar], found, unit)


def compared_rows(paths: Paths, frames: Sequence[StackFrame], found: Profile, unit: str) -> Rows:
    """Functions with their shares of A and of B, and the change in percentage points."""
    shares = paths.shares(len(frames))
    shown = _functions(frames, shares.total + shares.total_before > 0)

    def share(name: str, title: str, values: Array, priority: int) -> TableColumn:
        look = GridColumn(name, title, numeric=True, quiet=True, least=5, priority=priority)
        return TableColumn(look, lambda row: formatting.percent(round(values[row], 1)), lambda: values)

    def change(name: str, values: Array, priority: int) -> TableColumn:
        look = GridColumn(name, "change", numeric=True, least=7, priority=priority)
        return TableColumn(look, lambda row: points(values[row]), lambda: values)

    numbers = [
        share("own.a", "own A", shares.own_before[shown], 1),
        share("own.b", "B", shares.own[shown], 1),
        change(GREW, shares.own_change[shown], 1),
        share("total.a", "total A", shares.total_before[shown], -1),
        share("total.b", "B", shares.total[shown], -1),
        change("total±", shares.total_change[shown], -1),
    ]
    return _rows([frames[at] for at in shown.tolist()], numbers, [], found, unit)


def _functions(frames: Sequence[StackFrame], there: Array) -> Array:
    """The numbers of the frames that are functions."""
    return np.array([at for at, frame in enumerate(frames) if frame.side != "head" and there[at]], np.intp)


def _rows(
    listed: Sequence[StackFrame], numbers: list[TableColumn], bar: list[TableColumn], found: Profile, unit: str
) -> Rows:
    texts = [frame.label for frame in listed]
    modules = [frame.origin for frame in listed]
    keys: dict[str, Values] = {"function": Labels(np.arange(len(listed)), [function_key(*frame) for frame in listed])}

    def named(values: list[str], column: GridColumn) -> TableColumn:
        return TableColumn(
            column, lambda row: inert(values[row]), lambda: np.argsort(np.argsort(values)), lambda: values
        )

    return Rows(
        count=len(listed),
        keys=keys,
        columns=[
            *numbers,
            named(texts, _NAME),
            *bar,
            named(modules, GridColumn("module", "module", quiet=True, least=8, most=40)),
        ],
        about=lambda row: f"{texts[row]} {modules[row]}".rstrip(),
        facts=lambda row: [*why(listed[row]), *facts(found, places_of(found, listed[row]), unit)],
    )
