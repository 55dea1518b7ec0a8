"""Columns of a report: plain values, with processes in place of the numbers of their identities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import ColumnInfo, Process
from ebpftop.model.shown import ShownColumn, shown_columns


class ReportColumn(NamedTuple):
    """`values` holds one int, float, str or None a row."""

    shown: ShownColumn
    values: list[Any]

    @property
    def is_empty_place(self) -> bool:
        """Whether it would say where processes run, and none is in such a place."""
        return self.shown.is_place and not any(self.values)


def report_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """The columns in order. `values` holds those of each field."""
    return [
        ReportColumn(shown, _column(shown, values[shown.info.field], processes)) for shown in shown_columns(columns)
    ]


def key_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """The same, without what only explains another column."""
    return [column for column in report_columns(columns, values, processes) if not column.shown.is_detail]


def label_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """Those of `key_columns`, then where processes run."""
    found = report_columns(columns, values, processes)
    return [each for each in found if not each.shown.is_detail] + [each for each in found if each.shown.is_place]


def _column(shown: ShownColumn, values: Values, processes: Mapping[int, Process]) -> list[Any]:
    if isinstance(values, Labels):
        return values.texts()
    if shown.part is not None:
        identities, codes = np.unique(values, return_inverse=True)
        parts = [shown.of_process(int(number), processes) for number in identities.tolist()]
        return [parts[code] for code in codes.tolist()]
    plain: list[Any] = values.tolist()
    return plain if values.dtype.kind in "iub" else [_finite(value) for value in plain]


def _finite(value: Any) -> Any:
    """A number JSON knows, text for undecoded bytes."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value
