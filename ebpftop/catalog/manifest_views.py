"""The views of a manifest: how each map is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast, get_args

from ebpftop.base.nearest import nearest
from ebpftop.catalog.document import TomlTable
from ebpftop.catalog.model import Param
from ebpftop.frames.messages import ColumnInfo, Show, Tells, ViewInfo

UNITS = ("", "count", "ns", "cpu_ns", "bytes", "pages", "percent")
ROLES = ("key", "counter", "gauge")
DECODES = (
    "process",
    "thread",
    "comm",
    "string",
    "syscall",
    "errno",
    "device",
    "softirq",
    "block_op",
    "block_status",
    "address",
    "port",
    "tcp_state",
    "tcp_flags",
    "io_uring_op",
    "ip_protocol",
    "icmp",
    "dns_question",
    "dns_code",
    "drop_reason",
    "reset_reason",
    "capability",
    "compact_result",
    "signal",
    "signal_origin",
    "signal_result",
    "bpf_command",
    "bpf_type",
    "namespaces",
    "ptrace_request",
    "user",
    "kernel_lock",
    "file_operation",
    "point",
    "cgroup",
    "time",
    "hex",
    "octal",
    "writeback_reason",
)
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"

_VIEW = (
    "map",
    "show",
    "name",
    "title",
    "unit",
    "by",
    "slot",
    "count",
    "stacks",
    "kernel",
    "user",
    "gauge",
    "moments",
    "sort",
    "tells",
    "columns",
)
# Keys that only some kinds of views have.
_ONLY = {
    "by": ("histogram", "stacks"),
    "slot": ("histogram",),
    "count": ("histogram", "stacks"),
    "stacks": ("stacks",),
    "kernel": ("stacks",),
    "user": ("stacks",),
    "gauge": ("stacks",),
    "moments": ("stacks",),
    "sort": ("table",),
    "tells": ("histogram", "table", "events"),
}
_COLUMN = ("field", "title", "unit", "role", "decode", "hidden", "priority", "given")
_PRIORITY = 9  # the highest; the lowest is its negative


def read_views(top: TomlTable, title: str, params: Sequence[Param] = ()) -> tuple[ViewInfo, ...]:
    """The views; their title defaults to the probe's. Undeclared columns are left to the map's layout."""
    given = [f"{param.name}={choice}" for param in params for choice in param.choices]
    views: dict[str, ViewInfo] = {}
    for table in top.tables("views", _VIEW, required=True):
        view = _view(table, title, given)
        if view.name in views:
            table.problem("name" if "name" in table else "map", f"a second view named {view.name}")
        other = next((each for each in views.values() if each.map == view.map and each.show == "stacks"), view)
        if view.show == "stacks" and _place(other) != _place(view):
            table.problem("stacks", f"stacks, kernel and user differ from those of view {other.name}, of the same map")
        views[view.name] = view
    return tuple(views.values())


def _place(view: ViewInfo) -> tuple[str, str, str]:
    """Where a view's stacks come from."""
    return view.stacks, view.kernel, view.user


def _view(table: TomlTable, title: str, given: Sequence[str]) -> ViewInfo:
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
        columns=_columns(table, given),
        sort=table.text("sort", pattern=IDENTIFIER, what="a field") if "sort" in table else None,
        stacks=table.text("stacks", "", IDENTIFIER, "the name of a map"),
        kernel=table.text("kernel", "", IDENTIFIER, "a field"),
        user=table.text("user", "", IDENTIFIER, "a field"),
        gauge=table.boolean("gauge"),
        moments=table.text("moments", "", IDENTIFIER, "the name of a ring buffer"),
        tells=cast(Tells, table.choice("tells", get_args(Tells), "")),
    )
    for key, shows in _ONLY.items():
        if show and key in table and show not in shows:
            table.problem(key, f"only for {' and '.join(shows)}, not for {show}")
    match show:
        case "histogram":
            _check_histogram(table, view)
        case "stacks":
            _check_stacks(table, view)
        case "table":
            _check_sort(table, view)
    return view


def _columns(table: TomlTable, given: Sequence[str]) -> list[ColumnInfo]:
    columns: dict[str, ColumnInfo] = {}
    for row in table.tables("columns", _COLUMN):
        field = row.text("field", pattern=IDENTIFIER, what="a field")
        if field in columns:
            row.problem("field", "used twice")
        columns[field] = ColumnInfo(
            field=field,
            title=row.text("title", field),
            unit=row.choice("unit", UNITS, ""),
            role=cast(Literal["key", "counter", "gauge"], row.choice("role", ROLES, "key")),
            decode=row.choice("decode", DECODES) if "decode" in row else None,
            hidden=row.boolean("hidden"),
            priority=row.integer("priority", -_PRIORITY, _PRIORITY) or 0,
            given=row.choice("given", given) if "given" in row else "",
        )
    return list(columns.values())


def _check_histogram(table: TomlTable, view: ViewInfo) -> None:
    """Check that a histogram's key is its `by` fields and the slot, and its value is the count; columns describe the
    `by` fields.
    """
    if view.slot == view.count:
        table.problem("slot", "the same field as count")
    for key, field in (("slot", view.slot), ("count", view.count)):
        if field in view.by:
            table.problem("by", f"contains {field}, which is the {key} field")
    _check_columns_of_by(table, view)


def _check_columns_of_by(table: TomlTable, view: ViewInfo) -> None:
    for index, column in enumerate(view.columns):
        if column.field not in view.by:
            path = (*table.path, "columns", index, "field")
            table.document.problem(path, f"not one of the `by` fields{nearest(column.field, view.by)}")


def _check_stacks(table: TomlTable, view: ViewInfo) -> None:
    """Check that a row's key consists of its `by` fields and stack ids, and its value is the count."""
    if "stacks" not in table:
        table.problem("stacks", "missing, expected the name of a BPF_STACK_TRACE map")
    if not (view.kernel or view.user):
        table.problem("kernel", "missing, like `user`: name the key's field that is an id in `stacks`")
    named = [field for field in (view.kernel, view.user, view.count) if field]
    if len(set(named)) < len(named):
        table.problem("count", "kernel, user and count must be different fields")
    for field in named:
        if field in view.by:
            table.problem("by", f"contains {field}, which is the kernel, user or count field")
    processes = [column.field for column in view.columns if column.decode == "process"]
    if view.user and not processes:
        what = 'user stacks need a `by` field with decode = "process", as their addresses belong to that process'
        table.problem("user", what)
    given = {column.field for column in view.columns if column.given}
    if view.moments and [field for field in view.by if field not in given] != processes:
        what = 'needs a process, with decode = "process", as the only `by` field that is always there'
        table.problem("moments", what)
    _check_columns_of_by(table, view)


def _check_sort(table: TomlTable, view: ViewInfo) -> None:
    if view.sort is None:
        return
    fields = [column.field for column in view.columns]
    if fields and view.sort not in fields:
        table.problem("sort", f"no column {view.sort}{nearest(view.sort, fields)}")
