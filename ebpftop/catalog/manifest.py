"""Reads a probe folder: probe.toml, checked key by key; the C; the README."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from ebpftop.base.inert import inert, quoted
from ebpftop.base.nearest import nearest
from ebpftop.catalog.document import BadManifest, Document, TomlTable
from ebpftop.catalog.files import HEADER, MANIFEST, README, SOURCE, Unreadable, entries, read_text
from ebpftop.catalog.manifest_views import IDENTIFIER, read_views
from ebpftop.catalog.model import Attach, Mechanism, Param, ParamType, Probe, Variant
from ebpftop.catalog.params import FREQUENCY_MAX, INT_MAX, STRING_MAX, check, choice_macro, duration_ns
from ebpftop.frames.layout import OpenWaits
from ebpftop.frames.messages import ViewInfo

MOST_HEADERS = 16

_TOP = ("title", "summary", "question", "overhead", "params", "variants", "views", "open", "next")
_PARAM = ("type", "help", "default", "choices", "min", "max", "required")
_VARIANT = ("name", "meaning", "attach", "lacks")
_MECHANISMS: tuple[str, ...] = get_args(Mechanism)
_ATTACH = (*_MECHANISMS, "run", "args", "frequency")

_CGROUP = "this cgroup (v2) or below it"  # in a parameter's help
_PLACES: dict[ParamType, str] = {
    "container": "this container: its name, or the beginning of its id",
    "pod": "this pod: its name, with or without its namespace, or its uid",
    "unit": "this systemd unit, or below it",
}
_CLOCKS = ("cpu-clock", "task-clock")  # perf events that a program samples; of other events it sees every one

_PARAMETER = rf"\${IDENTIFIER}"
_FUNCTION = rf"[A-Za-z_][A-Za-z0-9_.]*|{_PARAMETER}"
_BINARY = rf"[^\s:$]+|{_PARAMETER}"
_TARGETS = {
    "raw_tracepoint": (IDENTIFIER, "a tracepoint's name without its group"),
    "tracepoint": (f"{IDENTIFIER}:{IDENTIFIER}", "GROUP:NAME"),
    "uprobe": (rf"({_BINARY}):([^\s:$]+|{_PARAMETER})", "BINARY:SYMBOL"),
    "uretprobe": (rf"({_BINARY}):([^\s:$]+|{_PARAMETER})", "BINARY:SYMBOL"),
    "usdt": (rf"({_BINARY}):[^\s:$]+:[^\s:$]+", "BINARY:PROVIDER:NAME"),
    "perf_event": (r"[a-z][a-z0-9-]*", "the name of a perf event"),
}
_BCC_NAMES = {
    "fentry": "kfunc__",
    "fexit": "kretfunc__",
}  # function names that BCC's KFUNC_PROBE and KRETFUNC_PROBE generate


def read_probe(folder: Path, probe_id: str) -> Probe:
    """The probe in this folder. Raises BadManifest; its text is the first problem, `problems` has all."""
    try:
        manifest = read_text(folder / MANIFEST)
        source = read_text(folder / SOURCE)
        readme = read_text(folder / README) if os.path.lexists(folder / README) else ""
        headers = {path.name: read_text(path) for path in _headers(folder)}
    except Unreadable as error:
        raise BadManifest([str(error)]) from None
    document = Document(str(folder / MANIFEST), manifest)
    top = TomlTable(document, (), document.values, _TOP)
    title = top.text("title")
    params = tuple(with_places(_param(name, table) for name, table in top.named_tables("params", _PARAM)))
    views = read_views(top, title, params)
    probe = Probe(
        id=probe_id,
        folder=folder,
        title=title,
        summary=top.text("summary"),
        question=top.text("question"),
        overhead=top.text("overhead"),
        params=params,
        variants=_variants(top, params, views),
        views=views,
        source=source,
        open=_open(top),
        next=tuple(top.texts("next")),
        headers=headers,
        manifest=manifest,
        readme=readme,
    )
    document.finish()
    return probe


def _open(top: TomlTable) -> OpenWaits | None:
    table = top.table("open", ("map", "since", "holder", "waker", "woken"))
    if table is None:
        return None
    return OpenWaits(
        map=table.text("map", pattern=IDENTIFIER, what="the name of a map"),
        since=table.text("since", "since", IDENTIFIER, "a field"),
        holder=table.text("holder", "", IDENTIFIER, "a field"),
        waker=table.text("waker", "", IDENTIFIER, "a field"),
        woken=table.text("woken", "", IDENTIFIER, "a field"),
    )


def _headers(folder: Path) -> list[Path]:
    """The folder's own headers. Raises `Unreadable`."""
    found = [path for path in entries(folder) if path.suffix == HEADER and not path.name.startswith(".")]
    if len(found) > MOST_HEADERS:
        raise Unreadable(f"{inert(str(folder))}: more than {MOST_HEADERS} headers")
    for path in found:
        if not path.name.isprintable():  # nor can a name that isn't UTF-8 be passed on
            raise Unreadable(f"{inert(str(path))}: the name contains unprintable characters")
    return found


def _variants(top: TomlTable, params: tuple[Param, ...], views: tuple[ViewInfo, ...]) -> tuple[Variant, ...]:
    types = {param.name: param.type for param in params}
    measured = {c.field for view in views for c in view.columns if c.role != "key"} - {view.sort for view in views}
    variants: dict[str, Variant] = {}
    for table in top.tables("variants", _VARIANT, required=True):
        name = table.text("name", pattern=IDENTIFIER, what="an identifier")
        if name in variants:
            table.problem("name", "used twice")
        attach = tuple(_attach(point, types) for point in table.tables("attach", _ATTACH, required=True))
        lacks = tuple(table.texts("lacks"))
        for field in (field for field in lacks if field not in measured):
            table.problem("lacks", f"no counter or gauge {quoted(field)} to leave out{nearest(field, measured)}")
        variants[name] = Variant(name=name, meaning=table.text("meaning", "exact"), attach=attach, lacks=lacks)
    return tuple(variants.values())


def _attach(table: TomlTable, types: Mapping[str, str]) -> Attach:
    named = [key for key in table.values if key in _MECHANISMS]
    if len(named) != 1:
        key = named[1] if named else _MECHANISMS[0]
        table.problem(key, f"expected exactly one of {', '.join(_MECHANISMS)}")
        return Attach(mechanism="raw_tracepoint", target="", run="")
    mechanism = named[0]
    pattern, what = _TARGETS.get(mechanism, (_FUNCTION, "a kernel function's name"))
    target = table.text(mechanism, pattern=pattern, what=what)
    _check_parameters(table, mechanism, target, types)
    for key, only in (("args", "raw_tracepoint"), ("frequency", "perf_event")):
        if key in table and mechanism != only:
            table.problem(key, f"only for {only}, not for {mechanism}")
    if target in _CLOCKS and "frequency" not in table:
        table.problem("frequency", "missing, expected an integer (Hz)")
    return Attach(
        mechanism=cast(Mechanism, mechanism),
        target=target,
        run=_run(table, mechanism, target),
        args=tuple(table.texts("args", unique=False)),
        frequency=_frequency(table, types),
    )


def _check_parameters(table: TomlTable, mechanism: str, target: str, types: Mapping[str, str]) -> None:
    """Check that the target's parameters exist and have the right type for their position."""
    wanted = ("binary", "symbol") if ":" in target else ("function",)
    for part, kind in zip(target.split(":"), wanted, strict=False):
        if part.startswith("$"):
            _check_parameter(table, mechanism, part, kind, types)


def _check_parameter(table: TomlTable, key: str, text: str, kind: str, types: Mapping[str, str]) -> None:
    if types.get(text[1:]) != kind:
        near = nearest(text[1:], (name for name, one in types.items() if one == kind))
        table.problem(key, f"no parameter {text[1:]} of type {kind}{near}")


def _frequency(table: TomlTable, types: Mapping[str, str]) -> int | str:
    value = table.values.get("frequency")
    if isinstance(value, str):
        text = table.text("frequency", pattern=_PARAMETER, what="an integer (Hz) or a parameter such as $name")
        _check_parameter(table, "frequency", text, "frequency", types)
        return text
    return table.integer("frequency", 1, FREQUENCY_MAX) or 0


def _run(table: TomlTable, mechanism: str, target: str) -> str:
    if mechanism not in _BCC_NAMES or "$" in target:
        return table.text("run", pattern=IDENTIFIER, what="the name of a C function")
    if "run" in table:
        macro = "KFUNC_PROBE" if mechanism == "fentry" else "KRETFUNC_PROBE"
        table.problem("run", f"not for {mechanism}; define its function with {macro}(FUNCTION, …)")
    return _BCC_NAMES[mechanism] + target


def _param(name: str, table: TomlTable) -> Param:
    kind = table.choice("type", get_args(ParamType))
    minimum, maximum = _limit(table, "min", kind), _limit(table, "max", kind)
    if minimum is not None and maximum is not None and minimum > maximum:
        table.problem("min", "greater than max")
    param = Param(
        name=name,
        type=cast(ParamType, kind),
        help=table.text("help"),
        default=_default(table),
        choices=_choices(table, kind),
        minimum=minimum,
        maximum=maximum,
        required=table.boolean("required"),
    )
    if param.required and param.default is not None:
        table.problem("required", "it has a default")
    if not name.isascii() or not name.isidentifier():
        table.document.problem(table.path, "a parameter's name must be an identifier")
    if param.default is not None and kind and (kind != "enum" or param.choices):
        try:
            check(param, param.default)
        except ValueError as error:
            table.problem("default", str(error))
    return param


def with_places(params: Iterable[Param]) -> Iterator[Param]:
    """These parameters. After a parameter that names a cgroup, parameters for a container, a pod and a unit are added,
    unless the probe has others with these names.
    """
    given = list(params)
    taken = {param.name for param in given}
    for param in given:
        yield param
        for kind, what in _PLACES.items() if param.type == "cgroup" else ():
            if kind not in taken:
                taken.add(kind)
                yield Param(name=kind, type=kind, help=param.help.replace(_CGROUP, what))


def _choices(table: TomlTable, kind: str) -> tuple[str, ...]:
    if kind != "enum":
        if kind and "choices" in table:
            table.problem("choices", f"only for an enum, not for {kind}")
        return ()
    choices = table.texts("choices", required=True)
    macros = [choice_macro(choice) for choice in choices]
    if len(set(macros)) < len(macros):
        table.problem("choices", "two of them differ only in characters that a macro name can't contain")
    return tuple(choices)


def _limit(table: TomlTable, key: str, kind: str) -> int | None:
    """min or max: a number for an int, text for a duration; for a string, its maximum length in bytes."""
    if key not in table or not kind:
        return None
    if kind == "int":
        return table.integer(key, -INT_MAX, INT_MAX)
    if kind == "duration":
        try:
            return duration_ns(table.text(key))
        except ValueError as error:
            table.problem(key, str(error))
            return None
    if kind == "string" and key == "max":
        return table.integer(key, 1, STRING_MAX)
    table.problem(key, f"not for {kind}")
    return None


def _default(table: TomlTable) -> str | None:
    """The default as a user would type it; numbers and booleans may be written as such."""
    value: Any = table.values.get("default")
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int):
        return None if value is None else str(value)
    table.problem("default", "expected a string, an integer, true or false")
    return None
