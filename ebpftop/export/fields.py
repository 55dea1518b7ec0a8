"""A view's columns as lists of plain values, with identities resolved to processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import ColumnInfo, Process

# The fields that a process column becomes. For an unknown identity all of them are None.
_PROCESS = {"pid": "tgid", "comm": "comm", "parent": "parent", "command": "command"}
_NAMELESS = ("key", "value")  # names of scalars in a map; their titles say more


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name in JSON and CSV, its title in text, and one int, float, str or None per row.

    hidden: hidden in the view. is_time: nanoseconds since 1970. detail: it only explains another column, and may be
    dropped if there is no room.
    """

    name: str
    title: str
    unit: str
    role: str
    values: list[Any]
    hidden: bool
    is_time: bool = False
    detail: bool = False


def name_of(column: ColumnInfo) -> str:
    """The name of a column in JSON and CSV."""
    return column.title if column.field in _NAMELESS else column.field


def fields(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[Field]:
    """The columns that have values, in order. A column of identities becomes pid, comm, parent and command.

    If such a name is already used, the column's own name is prepended: `target_pid`.
    """
    taken = {name_of(column) for column in columns if column.decode != "process"}
    result: list[Field] = []
    for column in columns:
        found = values.get(column.field)
        if found is None:
            continue
        plain = found.texts() if isinstance(found, Labels) else found.tolist()
        if column.decode != "process":
            result.append(_plain(column, plain))
        else:
            told = _process(column, taken, [processes.get(int(number)) for number in plain])
            taken.update(field.name for field in told)
            result += told
    return result


def _plain(column: ColumnInfo, values: list[Any]) -> Field:
    return Field(
        name=name_of(column),
        title=column.title,
        unit=column.unit,
        role=column.role,
        values=_finite(values),
        hidden=column.hidden,
        is_time=column.decode == "time",
    )


def _process(column: ColumnInfo, taken: set[str], found: list[Process | None]) -> list[Field]:
    return [
        Field(
            name=f"{name_of(column)}_{name}" if name in taken else name,
            title=f"{column.title} {name}" if name in taken else name,
            unit="",
            role=column.role,
            values=[None if process is None else getattr(process, attribute) for process in found],
            hidden=column.hidden,
            detail=name not in ("pid", "comm"),
        )
        for name, attribute in _PROCESS.items()
    ]


def _finite(values: list[Any]) -> list[Any]:
    """Values that JSON can represent: NaN becomes None, bytes become text."""
    return [
        value.hex()
        if isinstance(value, bytes)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for value in values
    ]
