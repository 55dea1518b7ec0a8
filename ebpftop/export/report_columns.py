"""Columns of a report: plain values, with processes in place of the numbers of their identities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import ColumnInfo, Process
from ebpftop.model.shown import ShownColumn, shown_columns


class ReportColumn(NamedTuple):
    """`values` holds one int, float, str or None a row."""

    shown: ShownColumn
    values: list[Any]


def report_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """The columns in order. `values` holds those of each field."""
    plain = {column.field: _plain(values[column.field]) for column in columns}
    return [ReportColumn(shown, _column(shown, plain[shown.info.field], processes)) for shown in shown_columns(columns)]


def key_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """The same, without what only explains another column."""
    return [column for column in report_columns(columns, values, processes) if not column.shown.is_detail]


def _column(shown: ShownColumn, plain: list[Any], processes: Mapping[int, Process]) -> list[Any]:
    if shown.part is None:
        return [_finite(value) for value in plain]
    return [shown.of_process(int(number), processes) for number in plain]


def _plain(values: Values) -> list[Any]:
    return values.texts() if isinstance(values, Labels) else values.tolist()


def _finite(value: Any) -> Any:
    """A number JSON knows, text for undecoded bytes."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value
