"""The rows of a table: its columns, and how to format, sort and search the cells of each.

Cells are formatted on demand: of 50,000 rows, only the forty on the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, equal
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.dimensions import HOST
from ebpftop.model.own import own_rows
from ebpftop.model.past.span import INTERVAL, START, Recent, Wanted
from ebpftop.model.readings import HistogramsByKey, TableReading
from ebpftop.model.shown import PLACES, ShownColumn, shown_columns
from ebpftop.model.trees import Tree
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.columns import BAR, GridColumn

RowKey = tuple[int | str, ...]
QUANTILES = {**PERCENTILES, "max": 1.0}
STAYS = {"p99": 1, "p50": 0}  # longer than the other quantiles, on a narrow screen
SOME = 200  # rows that decide whether a column is shown
ENDS = (INTERVAL.seconds, START.seconds)  # spans whose totals are those since attaching
LEAST = {"ns": 8, "cpu_ns": 8, "bytes": 9, "percent": 6}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column over all rows. `order` gives numbers to sort by. `texts` is what a filter searches (None: nothing).
    `added` is the formatted sum of some rows (None: a sum has no meaning here; empty: nothing, or unknown).
    """

    look: GridColumn
    cell: Callable[[int], str]
    order: Callable[[], Array]
    texts: Callable[[], Sequence[str]] | None = None
    added: Callable[[Array], str] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table. `keys` identify a row, and stay the same from one refresh to the next."""

    count: int = 0
    keys: dict[str, Values] = field(default_factory=dict)
    columns: list[TableColumn] = field(default_factory=list)
    gone: Callable[[int], bool] = lambda row: False  # whether what the row is about has ended
    about: Callable[[int], str] = lambda row: ""  # a line for the row under the cursor
    facts: Callable[[int], list[tuple[str, str]]] = lambda row: []  # titles and texts of what no column has room for
    ours: Array | None = None  # a mask of rows about ebpftop's own processes; None: there are none
    tree: Tree | None = None  # whose nodes the rows are; None: of no tree

    @property
    def own(self) -> Array:
        return np.zeros(self.count, bool) if self.ours is None else self.ours

    def key(self, row: int) -> RowKey:
        return tuple(_at(values, row) for values in self.keys.values())

    def find(self, key: RowKey) -> int | None:
        """The row of a key, or None."""
        if len(key) != len(self.keys) or not self.count:
            return None
        same = np.ones(self.count, bool)
        for values, wanted in zip(self.keys.values(), key, strict=True):
            same &= equal(values, wanted)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) else None


def is_whole(wanted: Wanted) -> bool:
    """Whether everything since attaching is shown."""
    return isinstance(wanted, Recent) and wanted.seconds >= START.seconds


def table_rows(
    view: ViewInfo,
    numbers: TableReading,
    processes: Processes,
    wanted: Wanted = INTERVAL,
    away: Collection[str] = (),
) -> Rows:
    """Keys, rates and gauges, then totals; for everything since attaching, totals only. away: silent hosts, whose last
    rate isn't known.
    """
    if not len(numbers):
        return Rows()
    infos = [info for info in view.columns if not info.hidden]
    counters = [info for info in infos if info.role == "counter"]
    keys = [info for info in infos if info.role == "key"]
    silent = _of_hosts(keys, numbers.keys, len(numbers), away)
    known = numbers.rates
    if wanted == INTERVAL and silent.any():
        known = {field: np.where(silent, np.nan, each) for field, each in known.items()}
    rates = [_rate(info, known[info.field]) for info in counters]
    whole, word = is_whole(wanted), " total" if isinstance(wanted, Recent) and wanted.seconds in ENDS else ""
    totals = [_total(info, numbers.totals[info.field], word, quiet=not whole) for info in counters]
    gauges = [_gauge(info, numbers.gauges[info.field]) for info in infos if info.role == "gauge"]
    first, then = (totals, []) if whole else (rates, totals)
    identities = _identities(view, numbers.keys)
    return Rows(
        count=len(numbers),
        keys=numbers.keys,
        columns=arranged(keys, numbers.keys, [*first, *gauges], then, processes),
        gone=lambda row: silent[row] or not numbers.present[row] or _ended(identities, row, processes),
        about=lambda row: _about(identities, row, processes),
        ours=own_rows(keys, numbers.keys, len(numbers), processes),
    )


def histogram_rows(
    view: ViewInfo,
    numbers: HistogramsByKey,
    processes: Processes,
    wanted: Wanted = INTERVAL,
    away: Collection[str] = (),
) -> Rows:
    """The keys of a histogram: the sum of their values, the count, p50, p90, p99 and the greatest (bounds of buckets).

    The greatest sum comes first: the one that waits most in total may be neither the most frequent nor the slowest.
    """
    rate = TableColumn(
        _number("rate", "count/s", 9),
        lambda row: formatting.rate(numbers.rates[row]),
        lambda: numbers.rates,
        added=_adding(numbers.rates, formatting.rate),
    )
    count = TableColumn(
        _number("count", "count", 8),
        lambda row: formatting.count(numbers.counts[row]),
        lambda: numbers.counts,
        added=_adding(numbers.counts, formatting.count),
    )
    quantiles = [_quantile(numbers, title, q, view.unit) for title, q in QUANTILES.items()]
    silent = _of_hosts(view.by_columns, numbers.keys, len(numbers), away)
    interval = isinstance(wanted, Recent) and wanted.seconds <= 0
    whole = is_whole(wanted)
    first, then = ([count, *quantiles], []) if whole else ([rate, *quantiles], [] if interval else [count])
    identities = _identities(view, numbers.keys)
    return Rows(
        count=len(numbers),
        keys=numbers.keys,
        columns=arranged(
            view.by_columns, numbers.keys, [*_sums(numbers, view.unit, whole=whole), *first], then, processes
        ),
        gone=lambda row: silent[row] or _ended(identities, row, processes),
        about=lambda row: _about(identities, row, processes),
        ours=own_rows(view.by_columns, numbers.keys, len(numbers), processes),
    )


def _sums(numbers: HistogramsByKey, unit: str, *, whole: bool) -> list[TableColumn]:
    """The sum of the values of each key, if that is meaningful: it is for time and bytes."""
    title = {"ns": "≈ time", "bytes": "≈ bytes"}.get(unit)
    if title is None:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):  # the span's length, where there is one yet
        seconds = np.ones(len(numbers)) if whole else numbers.counts / numbers.rates
        sums = numbers.groups.sums() / seconds
    name, title, write = ("sum", title, formatting.value) if whole else ("sum/s", f"{title}/s", formatting.rate)
    added = _adding(sums, lambda total: write(total, unit))
    return [TableColumn(_number(name, title, 10), lambda row: write(sums[row], unit), lambda: sums, added=added)]


def _adding(values: Array, write: Callable[[float], str]) -> Callable[[Array], str]:
    def added(rows: Array) -> str:
        total = np.nansum(values[rows]).item()
        return write(total) if total else ""

    return added


def arranged(
    infos: list[ColumnInfo],
    keys: dict[str, Values],
    first: list[TableColumn],
    then: list[TableColumn],
    processes: Processes,
) -> list[TableColumn]:
    """Column order: keys, the main numbers with a bar for the sorted one, other numbers, more about the keys."""
    front: list[TableColumn] = []
    places: list[TableColumn] = []
    back: list[TableColumn] = []
    for shown in shown_columns(infos):
        values = keys[shown.info.field]
        if not shown.part:
            front.append(_key(shown.info, values))
        elif not shown.is_detail:
            front.append(_process_part(shown, _numbers(values), processes))
        elif any(names.OF_PART[shown.part](identity, processes) for identity in _numbers(values)[:SOME].tolist()):
            (places if shown.is_place else back).append(_process_part(shown, _numbers(values), processes))
    share = TableColumn(
        GridColumn(BAR, "", least=10, most=24 if back or places else 60, stretch=True),
        lambda row: "",
        lambda: np.zeros(0),
    )
    return [*front, *first, share, *then, *places, *back]


def _process_part(shown: ShownColumn, identities: Array, processes: Processes) -> TableColumn:
    assert shown.part
    text = names.OF_PART[shown.part]
    low = shown.info.priority
    columns = {
        **{place: GridColumn(shown.id, place, least=12, most=32, priority=low) for place in PLACES},
        "nspid": _number(shown.id, "nspid", 7, low),
        "pid": _number(shown.id, "pid", 7, low),
        "comm": GridColumn(shown.id, shown.info.title, least=16, most=28, priority=low),
        "parent": GridColumn(shown.id, "parent", quiet=True, least=12, most=18, priority=low),
        "command": GridColumn(shown.id, "command", quiet=True, least=12, most=200, stretch=True, priority=low),
    }

    def texts() -> list[str]:
        return [text(identity, processes) for identity in identities.tolist()]

    def pids() -> Array:
        return np.array([shown.of_process(i, processes) or 0 if i in processes else -1 for i in identities.tolist()])

    order = pids if shown.part in ("pid", "nspid") else lambda: ranks(texts())
    return TableColumn(columns[shown.part], lambda row: text(int(identities[row]), processes), order, texts)


def _key(info: ColumnInfo, values: Values) -> TableColumn:
    title = info.title
    if isinstance(values, Labels):
        column = GridColumn(info.field, title, least=10, most=44, priority=info.priority)
        return TableColumn(column, lambda row: cell(values.at(row)), lambda: _label_ranks(values), values.texts)
    if info.decode == "time":
        return TableColumn(
            GridColumn(info.field, title, least=12, priority=info.priority),
            lambda row: formatting.clock(values[row].item()),
            lambda: values,
        )
    return TableColumn(
        _number(info.field, title, 7, info.priority), lambda row: _written(values[row], info.unit), lambda: values
    )


def _rate(info: ColumnInfo, values: Array) -> TableColumn:
    title = info.title if info.unit == "cpu_ns" else f"{info.title}/s"  # a share of a CPU is already per second
    column = _number(f"{info.field}/s", title, 9, info.priority)
    added = _adding(values, lambda total: formatting.rate(total, info.unit))
    return TableColumn(column, lambda row: formatting.rate(values[row], info.unit), lambda: values, added=added)


def _total(info: ColumnInfo, values: Array, word: str, *, quiet: bool) -> TableColumn:
    column = _number(info.field, f"{info.title}{word}", 9, info.priority, quiet=quiet)
    added = _adding(values, lambda total: formatting.value(total, info.unit))
    return TableColumn(column, lambda row: formatting.value(int(values[row]), info.unit), lambda: values, added=added)


def _gauge(info: ColumnInfo, values: Values) -> TableColumn:
    if isinstance(values, Labels) or info.decode == "time":
        return _key(info, values)
    column = _number(info.field, info.title, LEAST.get(info.unit, 8), info.priority)
    return TableColumn(column, lambda row: formatting.value(values[row].item(), info.unit), lambda: values)


def _quantile(numbers: HistogramsByKey, title: str, q: float, unit: str) -> TableColumn:
    lows, highs = numbers.groups.quantiles(q)
    column = _number(title, title, 10, STAYS.get(title, -1))
    return TableColumn(column, lambda row: formatting.bounds(int(lows[row]), int(highs[row]), unit), lambda: highs)


def _number(name: str, title: str, least: int, priority: int = 0, *, quiet: bool = False) -> GridColumn:
    return GridColumn(name, title, numeric=True, quiet=quiet, least=least, priority=priority)


def _written(value: np.generic, unit: str) -> str:
    return formatting.value(value.item(), unit) if unit else str(value.item())


def _identities(view: ViewInfo, keys: dict[str, Values]) -> Array | None:
    """The process of each row, if rows are about processes."""
    values = keys.get(view.process_field or "")
    return None if values is None else _numbers(values)


def _ended(identities: Array | None, row: int, processes: Processes) -> bool:
    return identities is not None and names.ended(int(identities[row]), processes)


def _of_hosts(infos: list[ColumnInfo], keys: dict[str, Values], count: int, away: Collection[str]) -> Array:
    """A mask of the rows of some hosts."""
    mask = np.zeros(count, bool)
    for info in infos if away else ():
        values = keys[info.field]
        if info.decode == HOST and isinstance(values, Labels):
            mask |= np.array([label in away for label in values.labels], bool)[values.codes]
    return mask


def _about(identities: Array | None, row: int, processes: Processes) -> str:
    return "" if identities is None else names.described(int(identities[row]), processes)


def _numbers(values: Values) -> Array:
    return values.codes if isinstance(values, Labels) else values


def _at(values: Values, row: int) -> int | str:
    if isinstance(values, Labels):
        return values.at(row)
    value = values[row].item()
    return value if isinstance(value, int) else str(value)


def ranks(texts: Sequence[str]) -> Array:
    """Numbers that sort like the texts, ignoring case."""
    if not texts:
        return np.zeros(0, np.intp)
    return np.unique([each.casefold() for each in texts], return_inverse=True)[1]


def _label_ranks(values: Labels) -> Array:
    return ranks(values.labels)[values.codes] if len(values) else np.zeros(0, np.intp)
