"""The rows of one view in two spans, matched by their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import FOLDED, UNKNOWN, ColumnInfo, Process, ViewInfo
from ebpftop.model.comparing.half import Half, hosts_of
from ebpftop.model.comparing.sides import Side, texts_of
from ebpftop.model.dimensions import Source, keys_of
from ebpftop.model.grouping import grouped_view
from ebpftop.model.narrowing import read
from ebpftop.model.own import own_rows
from ebpftop.rows.keys import encode

_NOBODY = {FOLDED: "(ended earlier)", UNKNOWN: "(unknown)"}
_Key = tuple[int | str | bool, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Joined:
    """keys: of each row, by field, as described by `columns`. before, after: the row on each of the two sides. there:
    for each side, a mask of the rows that it has and that count. own: a mask of rows about ebpftop's own processes.
    processes: the processes of identities in `keys`.
    """

    columns: list[ColumnInfo]
    keys: dict[str, Values]
    rows: int
    before: Array
    after: Array
    there: tuple[Array, Array]
    own: Array
    processes: dict[int, Process]
    by_name: bool


def joined(a: Half, b: Half, sides: tuple[Side, Side], view: ViewInfo, by: Source | None) -> Joined:
    """The rows of a view, or groups of them. Processes are matched by start in streams of one boot, otherwise by name.
    ebpftop's own processes form groups of their own.
    """
    people = _People(a, b)
    left_out = hosts_of(view) if a.host != b.host else set()
    columns = [column for column in keys_of(grouped_view(view, by) if by else view) if column.field not in left_out]
    numbers: dict[_Key, int] = {}
    places = []
    for half, side in zip((a, b), sides, strict=True):
        columns_of = {column.field: _values_of(half, side, column, by) for column in columns}
        flags = side.others.astype(np.int64) + 2 * _own(half, side, view, by)
        codes = [values.codes if isinstance(values, Labels) else values for values in columns_of.values()]
        _, first, distinct = np.unique(encode([flags, *codes]), return_index=True, return_inverse=True)
        parts: list[Sequence[int | str | bool]] = [flags[first].tolist()]
        for column in columns:
            values = take(columns_of[column.field], first)
            parts.append(people.keys(half, values) if column.is_process else texts_of(values))
        known = [numbers.setdefault(key, len(numbers)) for key in zip(*parts, strict=True)]
        places.append(np.array(known, np.int64)[distinct] if known else np.zeros(0, np.int64))
    before, after = places
    rows = [key[1:] for key in numbers]
    selected = [place if side.only is None else place[side.only] for place, side in zip(places, sides, strict=True)]
    there = tuple(np.isin(np.arange(len(rows)), place) for place in selected)
    shown = [_as_name(column) if column.is_process and people.by_name else column for column in columns]
    keys = {column.field: _values([row[at] for row in rows]) for at, column in enumerate(columns)}
    apart = np.array([bool(int(key[0]) & 2) for key in numbers], bool)
    return Joined(
        columns=shown,
        keys=keys,
        rows=len(rows),
        before=before,
        after=after,
        there=(there[0], there[1]),
        own=apart if by else own_rows(shown, keys, len(rows), people.processes),
        processes=people.processes,
        by_name=people.by_name and any(column.is_process for column in columns),
    )


def _values_of(half: Half, side: Side, column: ColumnInfo, by: Source | None) -> Values:
    return read(by, side.values(by.field), half.processes) if by else side.values(column.field)


def _own(half: Half, side: Side, view: ViewInfo, by: Source | None) -> Array:
    """1 for each row about ebpftop's own processes if rows are grouped, otherwise 0."""
    if by is None or view.show == "events":
        return np.zeros(side.rows, np.int64)
    columns = keys_of(view)
    values = {column.field: side.values(column.field) for column in columns if column.is_process}
    return own_rows(columns, values, side.rows, half.processes).astype(np.int64)


def _as_name(column: ColumnInfo) -> ColumnInfo:
    return msgspec.structs.replace(column, decode="string")


def _values(values: list[int | str | bool]) -> Values:
    """A column; if one side has texts and the other numbers, texts."""
    if not any(isinstance(value, str) for value in values):
        return np.array(values, np.int64 if all(value < 1 << 63 for value in values) else np.uint64)  # type: ignore[operator]
    labels: dict[str, int] = {}
    codes = [labels.setdefault(str(value), len(labels)) for value in values]
    return Labels(np.array(codes, np.int64), [*labels])


@dataclass
class _People:
    """Processes of two streams as keys that are equal if the processes are the same."""

    a: Half
    b: Half
    processes: dict[int, Process] = field(default_factory=dict)
    _numbers: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.a.same_stream(self.b):
            self.processes = dict(self.a.processes)

    @property
    def by_name(self) -> bool:
        return not self.a.same_boot(self.b)

    def keys(self, half: Half, values: Values) -> list[int | str]:
        assert isinstance(values, np.ndarray)
        identities: list[int | str] = values.tolist()
        if self.a.same_stream(self.b):
            return identities
        if self.by_name:
            return [name_of(identity, half.processes) for identity in values.tolist()]
        return [self._number(half, identity) for identity in values.tolist()]

    def _number(self, half: Half, identity: int) -> int:
        """A number of our own, because each stream numbers its processes independently."""
        process = half.processes.get(identity)
        if identity in _NOBODY or process is None:
            return FOLDED if identity == FOLDED else UNKNOWN
        number = self._numbers.setdefault((process.tgid, process.start_ns), len(self._numbers) + 1)
        self.processes[number] = msgspec.structs.replace(process, id=number)
        return number


def name_of(identity: int, processes: Mapping[int, Process]) -> str:
    """A process's name; in brackets if it stands for several, or nothing describes it."""
    process = processes.get(identity)
    return _NOBODY.get(identity) or (process.comm if process else _NOBODY[UNKNOWN])
