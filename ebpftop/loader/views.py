"""Whether a manifest's views fit the maps that the C declares: BCC's layouts are known once it is compiled."""

from __future__ import annotations

from collections.abc import Iterator

from ebpftop.frames.layout import Field, MapLayout
from ebpftop.frames.messages import ViewInfo

_RINGBUF = 27
_TEXT = {"comm", "string"}


def misfit(views: tuple[ViewInfo, ...], layouts: list[MapLayout]) -> str | None:
    """The first view that can't be drawn from its map, in one line; None if all can."""
    maps = {layout.name: layout for layout in layouts}
    for view in views:
        for problem in _problems(view, maps):
            return f"probe.toml: view {view.name!r}: {problem}"
    return None


def _problems(view: ViewInfo, maps: dict[str, MapLayout]) -> Iterator[str]:
    layout = maps.get(view.map)
    if layout is None:
        yield f"the C declares no map {view.map!r} (it has {', '.join(maps)})"
        return
    if (view.show == "events") != (layout.kind == _RINGBUF):
        yield f"events are shown from a ring buffer, and nothing else is; {view.map!r} is another kind of map"
    fields = _fields(view, layout)
    wanted = [*view.by, view.slot, view.count] if view.show == "histogram" else []
    for name in (*wanted, *(column.field for column in view.columns)):
        if name not in fields:
            yield f"{view.map!r} has no field {name!r} (it has {', '.join(fields)})"
    for column in view.columns:
        if column.decode and (problem := _undecodable(column.decode, fields[column.field])):
            yield f"field {column.field!r}: {problem}"


def _fields(view: ViewInfo, layout: MapLayout) -> dict[str, Field]:
    """By the names a view uses: in a histogram a scalar key is the slot and a scalar value the count."""
    fields = {field.name: field for field in (*layout.key.fields, *layout.value.fields)}
    if view.show == "histogram":
        for scalar, name in (("key", view.slot), ("value", view.count)):
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
