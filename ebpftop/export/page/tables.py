"""Tables whose cells carry their exact values beside the shown ones: `data-v`, which sorting and programs read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ebpftop.export.page.charts import bar
from ebpftop.export.page.markup import Child, Markup, bare, tag
from ebpftop.model.report_columns import ReportColumn
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Bounds

_WIDE = 10  # columns; tables with more have smaller text
_MISSING = "–"  # in place of a number


class Cell(NamedTuple):
    """shown: the visible text. value: exact, None for a text. low: of bounds, whose `value` is the upper one."""

    shown: Child
    value: int | float | None = None
    low: int | None = None


def table(what: str, name: str, titles: Sequence[str], rows: Iterable[Sequence[Cell]], left_out: str = "") -> Markup:
    """what: its caption. name: for programs, as `data-table`. left_out: a sentence about omitted rows."""
    head = tag("tr", (tag("th", bare(title), scope="col") for title in titles))
    body = [tag("tr", map(_cell, row)) for row in rows]
    look = "wide" if len(titles) > _WIDE else None
    whole = tag("table", tag("caption", what), tag("thead", head), tag("tbody", body), class_=look, data_table=name)
    scroll = tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=what)
    return tag("div", scroll, tag("p", left_out, class_="quiet") if left_out else None, class_="table")


def _cell(cell: Cell) -> Markup:
    if cell.value is None:
        missing = "n" if cell.shown == _MISSING else None
        return tag("td", bare(cell.shown) if type(cell.shown) is str else cell.shown, class_=missing)
    return tag("td", cell.shown, class_="n", data_v=_exact(cell.value), data_lo=cell.low)


def _exact(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(value)


def number(value: float | None, unit: str = "") -> Cell:
    """A quantity in its unit."""
    return Cell("–") if value is None else Cell(formatting.value(value, unit), value)


def rate(value: float | None, unit: str = "") -> Cell:
    """A quantity per second."""
    return Cell("–") if value is None else Cell(formatting.rate(value, unit), value)


def percentile(found: Bounds | None, unit: str) -> Cell:
    """The bounds of a percentile; its value is the upper one."""
    return Cell("–") if found is None else Cell(formatting.bounds(*found, unit), found[1], found[0])


def share(part: int, whole: int) -> Cell:
    """Percent of a whole."""
    percent = 100 * part / whole if whole else 0.0
    return Cell(formatting.percent(percent), percent)


def barred(part: float) -> Cell:
    """A bar as long as a share of the greatest, 0 … 1."""
    return Cell(bar(part))


def column_cells(column: ReportColumn, rows: Sequence[int]) -> list[Cell]:
    """Some rows of a column; a number without a unit is an identifier, written in full."""
    values = [column.values[row] for row in rows]
    if column.shown.is_time:
        return [Cell(text, value) for text, value in zip(formatting.clocks(values), values, strict=True)]
    return [value_cell(value, column.shown.unit) for value in values]


def value_cell(value: Any, unit: str = "") -> Cell:
    """A number, a text, or nothing."""
    if value is None:
        return Cell("–")
    if isinstance(value, bool | str):
        return Cell(str(value))
    return number(value, unit) if unit else Cell(str(value), value)
