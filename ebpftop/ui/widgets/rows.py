"""The rows of a table: its columns, and for each how to format a cell, sort by it and search it.

Cells are formatted on demand: of 50,000 rows a table formats the forty on the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.readings import Keyed, TableReading, Window
from ebpftop.stats import formatting
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.clock import clock
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.grid import BAR, Column

Key = tuple[int | str, ...]
QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
SOME = 200  # rows checked for whether a column has any values
WIDE = 100  # cells from which a column takes the remaining width
LEAST = {"ns": 8, "bytes": 9, "percent": 6}


@dataclass(frozen=True, slots=True)
class Field:
    """One column over all rows. `order` returns numbers to sort by, `texts` what a filter searches (None: nothing)."""

    column: Column
    cell: Callable[[int], str]
    order: Callable[[], Array]
    texts: Callable[[], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table. `keys` identify a row, also across refreshes."""

    count: int = 0
    keys: dict[str, Values] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    gone: Callable[[int], bool] = lambda row: False  # whether what the row is about has ended
    about: Callable[[int], str] = lambda row: ""  # a line for the row under the cursor

    def key(self, row: int) -> Key:
        return tuple(_at(values, row) for values in self.keys.values())

    def find(self, key: Key) -> int | None:
        """The row with this key, or None."""
        if len(key) != len(self.keys) or not self.count:
            return None
        same = np.ones(self.count, bool)
        for values, wanted in zip(self.keys.values(), key, strict=True):
            same &= _equal(values, wanted)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) else None


def table_rows(view: ViewInfo, numbers: TableReading, processes: Processes, window: Window) -> Rows:
    """Keys, gauges, then what the window shows (rates, or totals since attaching), then the other."""
    if not len(numbers):
        return Rows()
    infos = [info for info in view.columns if not info.hidden]
    counters = [info for info in infos if info.role == "counter"]
    rates = [_rate(info, numbers.rates[info.field]) for info in counters]
    totals = [_total(info, numbers.totals[info.field], quiet=window == "interval") for info in counters]
    gauges = [_gauge(info, numbers.gauges[info.field]) for info in infos if info.role == "gauge"]
    keys = [info for info in infos if info.role == "key"]
    first, then = (rates, totals) if window == "interval" else (totals, rates)
    identities = _identities(keys, numbers.keys)
    return Rows(
        count=len(numbers),
        keys=numbers.keys,
        fields=_arranged(keys, numbers.keys, [*first, *gauges], then, processes),
        gone=lambda row: not numbers.present[row] or _ended(identities, row, processes),
        about=lambda row: _about(identities, row, processes),
    )


def keyed_rows(view: ViewInfo, numbers: Keyed, processes: Processes, window: Window) -> Rows:
    """A histogram's keys: the values' sum and count, p50, p90, p99 and maximum (as bounds of buckets).

    Sorted by the sum, as the process that waits most in total may be neither the most frequent nor the slowest.
    """
    described = {info.field: info for info in view.columns}
    keys = [described.get(name, ColumnInfo(field=name, title=name)) for name in view.by]
    rate = Field(_number("rate", "count/s", 9), lambda row: formatting.rate(numbers.rates[row]), lambda: numbers.rates)
    count = Field(
        _number("count", "count", 8), lambda row: formatting.count(numbers.counts[row]), lambda: numbers.counts
    )
    quantiles = [_quantile(numbers, title, q, view.unit) for title, q in QUANTILES]
    first, then = ([rate, *quantiles], []) if window == "interval" else ([count, *quantiles], [rate])
    identities = _identities(keys, numbers.keys)
    return Rows(
        count=len(numbers),
        keys=numbers.keys,
        fields=_arranged(keys, numbers.keys, [*_sums(numbers, view.unit, window), *first], then, processes),
        gone=lambda row: _ended(identities, row, processes),
        about=lambda row: _about(identities, row, processes),
    )


def _sums(numbers: Keyed, unit: str, window: Window) -> list[Field]:
    """The sum of each key's values, for units where a sum makes sense: time and bytes."""
    title = {"ns": "≈ time", "bytes": "≈ bytes"}.get(unit)
    if title is None:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):  # the interval's length, where there is one yet
        seconds = numbers.counts / numbers.rates if window == "interval" else np.ones(len(numbers))
        sums = numbers.groups.sums() / seconds
    if window == "interval":
        return [Field(_number("sum/s", f"{title}/s", 10), lambda row: formatting.rate(sums[row], unit), lambda: sums)]
    return [Field(_number("sum", title, 10), lambda row: formatting.value(sums[row], unit), lambda: sums)]


def _arranged(
    infos: list[ColumnInfo], keys: dict[str, Values], first: list[Field], then: list[Field], processes: Processes
) -> list[Field]:
    """Keys, the main numbers with a bar for the sort column, other numbers, further details of the keys."""
    front: list[Field] = []
    back: list[Field] = []
    for info in infos:
        if info.decode == "process":
            head, tail = _process(info, _numbers(keys[info.field]), processes)
            front += head
            back += tail
        else:
            front.append(_key(info, keys[info.field]))
    share = Field(Column(BAR, "", least=10, most=24 if back else 60, stretch=True), lambda row: "", lambda: np.zeros(0))
    return [*front, *first, share, *then, *back]


def _process(info: ColumnInfo, ids: Array, processes: Processes) -> tuple[list[Field], list[Field]]:
    """(first fields: pid and name, last fields: parent and command, if any are known)."""

    def of(tell: Callable[[int, Processes], str]) -> Callable[[int], str]:
        return lambda row: tell(int(ids[row]), processes)

    def all_of(tell: Callable[[int, Processes], str]) -> Callable[[], list[str]]:
        return lambda: [tell(identity, processes) for identity in ids.tolist()]

    def by_text(tell: Callable[[int, Processes], str]) -> Callable[[], Array]:
        return lambda: _ranks(all_of(tell)())

    def pids() -> Array:
        return np.array([processes[i].tgid if i in processes else -1 for i in ids.tolist()])

    title = info.title or "process"
    head = [
        Field(_number(f"{info.field}.pid", "pid", 7), of(names.pid), pids, all_of(names.pid)),
        Field(
            Column(f"{info.field}.name", title, least=16, most=28),
            of(names.name),
            by_text(names.name),
            all_of(names.name),
        ),
    ]
    tail = [
        Field(
            Column(f"{info.field}.{title}", title, quiet=True, least=12, most=most, stretch=most > WIDE),
            of(tell),
            by_text(tell),
            all_of(tell),
        )
        for title, tell, most in (("parent", names.parent, 18), ("command", names.command, 200))
        if any(tell(identity, processes) for identity in ids[:SOME].tolist())
    ]
    return head, tail


def _key(info: ColumnInfo, values: Values) -> Field:
    title = info.title or info.field
    if isinstance(values, Labels):
        column = Column(info.field, title, least=10, most=44)
        return Field(column, lambda row: cell(_label(values, row)), lambda: _label_ranks(values), values.texts)
    if info.decode == "time":
        return Field(Column(info.field, title, least=12), lambda row: clock(values[row].item()), lambda: values)
    return Field(_number(info.field, title, 7), lambda row: _written(values[row], info.unit), lambda: values)


def _rate(info: ColumnInfo, values: Array) -> Field:
    title = f"{info.title or info.field}/s"
    return Field(
        _number(f"{info.field}/s", title, 9), lambda row: formatting.rate(values[row], info.unit), lambda: values
    )


def _total(info: ColumnInfo, values: Array, *, quiet: bool) -> Field:
    column = _number(info.field, f"{info.title or info.field} total", 9, quiet=quiet)
    return Field(column, lambda row: formatting.value(int(values[row]), info.unit), lambda: values)


def _gauge(info: ColumnInfo, values: Values) -> Field:
    if isinstance(values, Labels) or info.decode == "time":
        return _key(info, values)
    column = _number(info.field, info.title or info.field, LEAST.get(info.unit, 8))
    return Field(column, lambda row: formatting.value(values[row].item(), info.unit), lambda: values)


def _quantile(numbers: Keyed, title: str, q: float, unit: str) -> Field:
    lows, highs = numbers.groups.quantiles(q)
    column = _number(title, title, 13)
    return Field(column, lambda row: formatting.bounds(int(lows[row]), int(highs[row]), unit), lambda: highs)


def _number(name: str, title: str, least: int, *, quiet: bool = False) -> Column:
    return Column(name, title, numeric=True, quiet=quiet, least=least)


def _written(value: np.generic, unit: str) -> str:
    return formatting.value(value.item(), unit) if unit else str(value.item())


def _identities(keys: list[ColumnInfo], values: dict[str, Values]) -> Array | None:
    """The identities in the first field that holds any."""
    return next((_numbers(values[info.field]) for info in keys if info.decode == "process"), None)


def _ended(identities: Array | None, row: int, processes: Processes) -> bool:
    return identities is not None and names.ended(int(identities[row]), processes)


def _about(identities: Array | None, row: int, processes: Processes) -> str:
    return "" if identities is None else names.described(int(identities[row]), processes)


def _numbers(values: Values) -> Array:
    return values.codes if isinstance(values, Labels) else values


def _at(values: Values, row: int) -> int | str:
    if isinstance(values, Labels):
        return _label(values, row)
    value = values[row].item()
    return value if isinstance(value, int) else str(value)


def _label(values: Labels, row: int) -> str:
    return values.labels[int(values.codes[row])]


def _equal(values: Values, wanted: int | str) -> Array:
    if isinstance(values, Labels):
        return np.isin(values.codes, [code for code, label in enumerate(values.labels) if label == wanted])
    return np.asarray(values == wanted)


def _ranks(texts: Sequence[str]) -> Array:
    """Numbers that sort like the texts, ignoring case."""
    if not texts:
        return np.zeros(0, np.intp)
    return np.unique([each.casefold() for each in texts], return_inverse=True)[1]


def _label_ranks(values: Labels) -> Array:
    return _ranks(values.labels)[values.codes] if len(values) else np.zeros(0, np.intp)
