"""The views of a manifest: how each map is shown."""

from __future__ import annotations

from typing import Literal, cast, get_args

from ebpftop.catalog.document import Table
from ebpftop.catalog.text import nearest
from ebpftop.frames.messages import ColumnInfo, Show, ViewInfo

UNITS = ("", "count", "ns", "bytes", "pages", "percent")
ROLES = ("key", "counter", "gauge")
DECODES = (
    "process",
    "comm",
    "string",
    "syscall",
    "errno",
    "device",
    "softirq",
    "block_op",
    "address",
    "port",
    "tcp_state",
    "capability",
    "signal",
    "user",
    "kernel_lock",
    "cgroup",
    "time",
    "hex",
)
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"

_VIEW = ("map", "show", "name", "title", "unit", "by", "slot", "count", "sort", "columns")
_COLUMN = ("field", "title", "unit", "role", "decode", "hidden")


def read_views(top: Table, title: str) -> tuple[ViewInfo, ...]:
    """The views, by default with the probe's title. Columns that aren't declared stay empty, for the map's layout."""
    views: dict[str, ViewInfo] = {}
    for table in top.tables("views", _VIEW, required=True):
        view = _view(table, title)
        if view.name in views:
            table.problem("name" if "name" in table else "map", f"a second view named {view.name}")
        views[view.name] = view
    return tuple(views.values())


def _view(table: Table, title: str) -> ViewInfo:
    bpf_map = table.text("map", pattern=IDENTIFIER, what="the name of a map")
    show = table.choice("show", get_args(Show))
    view = ViewInfo(
        name=table.text("name", bpf_map),
        map=bpf_map,
        show=cast(Show, show),
        title=table.text("title", title),
        unit=table.choice("unit", UNITS, ""),
        by=table.texts("by"),
        slot=table.text("slot", "slot", IDENTIFIER, "a field"),
        count=table.text("count", "count", IDENTIFIER, "a field"),
        columns=_columns(table),
        sort=table.text("sort", pattern=IDENTIFIER, what="a field") if "sort" in table else None,
    )
    if show == "histogram":
        _check_histogram(table, view)
    elif show:
        for key in ("by", "slot", "count"):
            if key in table:
                table.problem(key, f"only for a histogram, not for {show}")
    _check_sort(table, view)
    return view


def _columns(table: Table) -> list[ColumnInfo]:
    columns: dict[str, ColumnInfo] = {}
    for row in table.tables("columns", _COLUMN):
        field = row.text("field", pattern=IDENTIFIER, what="a field")
        if field in columns:
            row.problem("field", "the same field twice")
        columns[field] = ColumnInfo(
            field=field,
            title=row.text("title", field),
            unit=row.choice("unit", UNITS, ""),
            role=cast(Literal["key", "counter", "gauge"], row.choice("role", ROLES, "key")),
            decode=row.choice("decode", DECODES) if "decode" in row else None,
            hidden=row.boolean("hidden"),
        )
    return list(columns.values())


def _check_histogram(table: Table, view: ViewInfo) -> None:
    """A histogram's key is its `by` fields and the slot, its value the count; columns describe the `by` fields."""
    if view.slot == view.count:
        table.problem("slot", "the same field as count")
    for key, field in (("slot", view.slot), ("count", view.count)):
        if field in view.by:
            table.problem("by", f"holds {field}, the field of {key}")
    for index, column in enumerate(view.columns):
        if column.field not in view.by:
            path = (*table.path, "columns", index, "field")
            table.document.problem(path, f"not one of the `by` fields{nearest(column.field, view.by)}")


def _check_sort(table: Table, view: ViewInfo) -> None:
    if view.sort is None or not view.show:
        return
    fields = [column.field for column in view.columns]
    if view.show != "table":
        table.problem("sort", f"only for a table, not for {view.show}")
    elif fields and view.sort not in fields:
        table.problem("sort", f"no column {view.sort}{nearest(view.sort, fields)}")
