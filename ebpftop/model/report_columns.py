"""Columns of a report: plain values, with processes instead of identity numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ebpftop.base.inert import inert
from ebpftop.base.query import holds
from ebpftop.frames.columns import Array, Labels, Values
from ebpftop.frames.messages import ColumnInfo, Process
from ebpftop.model.shown import ShownColumn, shown_columns
from ebpftop.stats import formatting


class ReportColumn(NamedTuple):
    """`values` holds one int, float, str or None per row."""

    shown: ShownColumn
    values: list[Any]

    @property
    def is_empty_place(self) -> bool:
        """Whether it is a column for a kind of place in which no process runs."""
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
    """The same, without columns that only explain another one."""
    return [column for column in report_columns(columns, values, processes) if not column.shown.is_detail]


def label_columns(
    columns: Sequence[ColumnInfo], values: Mapping[str, Values], processes: Mapping[int, Process]
) -> list[ReportColumn]:
    """`key_columns`, followed by the places where processes run."""
    found = report_columns(columns, values, processes)
    return [each for each in found if not each.shown.is_detail] + [each for each in found if each.shown.is_place]


def matching(columns: Sequence[ReportColumn], count: int, words: Sequence[str], *, numbers: bool = False) -> Array:
    """A mask of `count` rows that contain all words, each in any column. numbers: whether formatted numbers are
    searched too, and not only texts and what is known of processes.
    """
    found = np.ones(count, bool)
    texts = [_searched(column) for column in columns if numbers or _is_text(column)] if words else []
    for word in words:
        held = np.zeros(count, bool)
        for each in texts:
            held |= np.fromiter((holds(text, [word]) for text in each), bool, count)
        found &= held
    return found


def _is_text(column: ReportColumn) -> bool:
    return column.shown.part is not None or any(isinstance(value, str) for value in column.values)


def _searched(column: ReportColumn) -> list[str]:
    """Its values as searched text."""
    if column.shown.is_time:
        return formatting.clocks(column.values)
    unit = column.shown.unit
    return [
        ""
        if value is None
        else inert(value)
        if isinstance(value, str)
        else formatting.value(value, unit)
        if unit
        else str(value)
        for value in column.values
    ]


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
    """A number that JSON can express, text for undecoded bytes."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value
