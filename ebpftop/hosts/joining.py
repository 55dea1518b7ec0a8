"""Joins the rows of several hosts into one map, with a column for the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import structs

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import CODES, Labels, Values, pack
from ebpftop.frames.messages import ColumnInfo, Columns, Losses, ViewInfo
from ebpftop.frames.messages.base import GREATEST

HOST = ColumnInfo(field="host", title="host", role="key", decode="host", priority=1)

Rows = Mapping[str, Values]


def count_of(rows: Rows) -> int:
    """The number of rows."""
    return len(next(iter(rows.values()), ()))


def host_field(views: Sequence[ViewInfo]) -> str:
    """A name for the host field that none of these views uses."""
    taken = {column.field for view in views for column in view.columns} | {name for view in views for name in view.by}
    field = HOST.field
    while field in taken:
        field += "_"
    return field


def with_host(view: ViewInfo, field: str) -> ViewInfo:
    """The view with the host among its keys."""
    column = structs.replace(HOST, field=field)
    if view.show in ("table", "events"):
        return structs.replace(view, columns=[column, *view.columns])
    # Samples of one CPU's number come from a CPU of each host.
    return structs.replace(view, columns=[*view.columns, column], by=[*view.by, field], moments="")


def with_column(rows: Rows, field: str, host: str) -> Rows:
    """The rows of one host, with its name in each."""
    return {**rows, field: Labels(np.zeros(count_of(rows), CODES), [host])}


def without_rows(rows: Rows) -> Rows:
    """The same columns, empty. Columns with more labels than rows are refused, so these have none."""
    return {
        name: Labels(values.codes[:0], []) if isinstance(values, Labels) else values[:0]
        for name, values in rows.items()
    }


def joined(parts: Sequence[Rows]) -> Columns:
    """All rows, in the order of the parts. Raises `BadFrame` if they have different columns."""
    parts = [part for part in parts if count_of(part)] or parts[:1]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise BadFrame("hosts have different columns for one map")
    return pack({name: _joined([part[name] for part in parts]) for name in parts[0]})


def _joined(parts: Sequence[Values]) -> Values:
    labelled = [part for part in parts if isinstance(part, Labels)]
    plain = [part for part in parts if not isinstance(part, Labels)]
    if len(labelled) == len(parts):
        return _labels(labelled)
    if len(plain) < len(parts) or len({part.dtype for part in plain}) > 1:
        raise BadFrame("hosts have different types for one column")
    return plain[0] if len(plain) == 1 else np.concatenate(plain)


def _labels(parts: Sequence[Labels]) -> Labels:
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    numbers: dict[str, int] = {}
    codes = []
    for part in parts:
        table = np.array([numbers.setdefault(text, len(numbers)) for text in part.labels], CODES)
        codes.append(table[part.codes])
    return Labels(np.concatenate(codes), [*numbers])


def summed(losses: Sequence[Losses]) -> Losses:
    return Losses(**{name: added(*(getattr(each, name) for each in losses)) for name in Losses.__struct_fields__})


def added(*numbers: int) -> int:
    """Their sum, or the largest number that a frame can carry."""
    return min(GREATEST, sum(numbers))
