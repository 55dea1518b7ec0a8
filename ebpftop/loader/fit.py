"""Checks whether a manifest's views fit the maps that the C declares: BCC knows the layouts after compiling."""

from __future__ import annotations

from collections.abc import Iterator

from ebpftop.base.map_types import RINGBUF, STACK_TRACE
from ebpftop.catalog.positions import KeyPath
from ebpftop.frames.layout import Field, MapLayout, OpenWaits
from ebpftop.frames.messages import ViewInfo

_TEXT = {"comm", "string", "dns_question"}


def misfit(views: tuple[ViewInfo, ...], layouts: list[MapLayout]) -> tuple[KeyPath, str] | None:
    """The first view that doesn't fit its map: the manifest's key, and what is wrong; None if all fit."""
    maps = {layout.name: layout for layout in layouts}
    for number, view in enumerate(views):
        for path, problem in _problems(view, maps):
            return ("views", number, *path), f"view {view.name!r}: {problem}"
    return None


def _problems(view: ViewInfo, maps: dict[str, MapLayout]) -> Iterator[tuple[KeyPath, str]]:
    """Yield each error with the key of its view."""
    layout = maps.get(view.map)
    if layout is None:
        yield ("map",), f"the C declares no map {view.map!r} (it has {', '.join(maps)})"
        return
    if (view.show == "events") != (layout.kind == RINGBUF):
        yield (
            ("show",),
            f"events are shown from a ring buffer, and nothing else is; {view.map!r} is another kind of map",
        )
    if layout.kind == STACK_TRACE:
        yield ("map",), f"{view.map!r} holds call stacks, which a view names as its `stacks`; its `map` counts them"
    fields = _fields(view, layout)
    for name in _wanted(view):
        if name not in fields:
            yield (), f"{view.map!r} has no field {name!r} (it has {', '.join(fields)})"
    for number, column in enumerate(view.columns):
        if column.field not in fields:
            path = ("columns", number, "field")
            yield path, f"{view.map!r} has no field {column.field!r} (it has {', '.join(fields)})"
    if view.show == "stacks":
        key = {field.name: field for field in layout.key.fields}
        for misplaced in _misplaced(view, maps.get(view.stacks), key):
            yield ("stacks",), misplaced
        if view.moments and (problem := _unfit(view, maps.get(view.moments))):
            yield ("moments",), problem
    for number, column in enumerate(view.columns):
        if column.decode and (problem := _undecodable(column.decode, fields[column.field])):
            yield ("columns", number, "decode"), f"field {column.field!r}: {problem}"


def misfit_open(waits: OpenWaits, layouts: list[MapLayout]) -> tuple[KeyPath, str] | None:
    """The same for the map of waits that have begun and not ended."""
    layout = next((each for each in layouts if each.name == waits.map), None)
    if layout is None:
        return ("open", "map"), f"the C declares no map {waits.map!r}"
    if [(field.dtype, field.count) for field in layout.key.fields] != [("<u4", 1)]:
        return ("open", "map"), f"the key of {waits.map!r} must be a 32-bit thread id"
    fields = {field.name: field for field in layout.value.fields}
    wanted = (
        *(("since", waits.since, "<u8"), ("woken", waits.woken, "<u8")),
        *(("holder", waits.holder, "<u4"), ("waker", waits.waker, "<u4")),
    )
    for key, name, dtype in wanted:
        if name and (name not in fields or (fields[name].dtype, fields[name].count) != (dtype, 1)):
            bits = 8 * int(dtype[-1])
            return ("open", key), f"{waits.map!r} has no field {name!r} of {bits} bits (it has {', '.join(fields)})"
    return None


def _wanted(view: ViewInfo) -> list[str]:
    """The fields that a view needs besides those of its columns."""
    match view.show:
        case "histogram":
            return [*view.by, view.slot, view.count]
        case "stacks":
            return [*view.by, *filter(None, (view.kernel, view.user)), view.count]
    return []


def _misplaced(view: ViewInfo, stacks: MapLayout | None, key: dict[str, Field]) -> Iterator[str]:
    """What is wrong with the stack fields."""
    if stacks is None:
        yield f"the C declares no map {view.stacks!r}"
    elif stacks.kind != STACK_TRACE:
        yield f"{view.stacks!r} is not a BPF_STACK_TRACE map"
    for name in filter(None, (view.kernel, view.user)):
        if name not in key:
            yield f"{name!r} isn't a field of the key of {view.map!r}"
        elif key[name].dtype not in ("<i4", "<u4") or key[name].count > 1:
            yield f"{name!r} must be a 32-bit number, as bpf_get_stackid() returns it"


def _unfit(view: ViewInfo, ring: MapLayout | None) -> str | None:
    """What is wrong with the records of single samples."""
    if ring is None or ring.kind != RINGBUF:
        return f"the C declares no ring buffer {view.moments!r}"
    fields = {field.name: field for field in ring.value.fields}
    for name, dtypes in {
        "time": ("<u8",),
        "cpu": ("<u4",),
        **dict.fromkeys(view.by, ("<u4",)),
        **dict.fromkeys(filter(None, (view.kernel, view.user)), ("<i4", "<u4")),
    }.items():
        if name not in fields or fields[name].dtype not in dtypes or fields[name].count > 1:
            return f"{view.moments!r} needs a field {name!r} of {8 * int(dtypes[0][-1])} bits"
    return None


def _fields(view: ViewInfo, layout: MapLayout) -> dict[str, Field]:
    """The fields by the names that a view uses: a scalar key is a histogram's slot, a scalar value its count."""
    fields = {field.name: field for field in (*layout.key.fields, *layout.value.fields)}
    scalars = {"histogram": (("key", view.slot), ("value", view.count)), "stacks": (("value", view.count),)}
    for scalar, name in scalars.get(view.show, ()):
        if scalar in fields and name not in fields:
            fields[name] = fields.pop(scalar)
    return fields


def _undecodable(decode: str, field: Field) -> str | None:
    is_text = field.dtype.startswith("S")
    if decode in _TEXT:
        return None if is_text else f"decode = {decode!r} takes a char array"
    if decode == "address":
        return None if field.dtype == "u1" and field.count == 16 else "decode = 'address' takes 16 bytes"
    return f"decode = {decode!r} takes a whole number" if is_text or field.count > 1 else None
