"""A probe in memory: plain data that the supervisor keeps and a loader inherits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ebpftop.frames.layout import OpenWaits
from ebpftop.frames.messages import ViewInfo

Mechanism = Literal[
    "raw_tracepoint",
    "tracepoint",
    "kprobe",
    "kretprobe",
    "fentry",
    "fexit",
    "uprobe",
    "uretprobe",
    "usdt",
    "perf_event",
]
ParamType = Literal[
    "pid",
    "comm",
    "cgroup",
    "container",
    "pod",
    "unit",
    "duration",
    "int",
    "enum",
    "string",
    "bool",
    "device",
    "port",
    "address",
    "errno",
    "syscall",
    "frequency",
    "rate",
    "function",
    "binary",
    "symbol",
]


class Attach(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment of one program.

    target: `sched_switch` (raw_tracepoint), `syscalls:sys_enter_openat` (tracepoint), a kernel function (kprobe, fentry
    and their return forms), `BINARY:SYMBOL` (uprobe), `BINARY:PROVIDER:NAME` (usdt), a software event such as
    `cpu-clock` (perf_event; sampled at `frequency` in Hz, or every event if that is 0). `$name` in place of a function,
    binary, symbol or frequency is replaced by that parameter; if it is a pattern, the program is attached to all
    matching functions. run: the C function; for fentry and fexit with a fixed target, BCC's name generated from the
    target. args: the C types that a raw tracepoint's prototype must begin with, because the code relies on them.
    """

    mechanism: Mechanism
    target: str
    run: str
    args: tuple[str, ...] = ()
    frequency: int | str = 0

    @property
    def params(self) -> frozenset[str]:
        """Required parameters."""
        return frozenset(re.findall(r"\$(\w+)", f"{self.target} {self.frequency}"))

    def __str__(self) -> str:
        return f"{self.mechanism}:{self.target}"


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to get the numbers; its code is compiled with -DVARIANT_<name>.

    lacks: fields that it doesn't measure; views leave them out, because 0 would look like a value.
    """

    name: str
    meaning: str
    attach: tuple[Attach, ...]
    lacks: tuple[str, ...] = ()

    @property
    def params(self) -> frozenset[str]:
        """Required parameters."""
        return frozenset[str]().union(*(point.params for point in self.attach))


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A typed parameter. minimum and maximum bound an int (or a duration, in ns); default is text as typed.

    required: the probe can't be loaded without it.
    """

    name: str
    type: ParamType
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    required: bool = False


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A checked probe folder: its manifest and the text of its files. reloads: whether saving a file reloads it."""

    id: str
    folder: Path
    title: str
    summary: str
    question: str
    overhead: str
    params: tuple[Param, ...]
    variants: tuple[Variant, ...]
    views: tuple[ViewInfo, ...]
    source: str
    open: OpenWaits | None = None
    next: tuple[str, ...] = ()  # ids of probes that give more detail on this one's findings
    headers: dict[str, str] = {}  # its own, by name
    manifest: str = ""  # the text of probe.toml
    readme: str = ""
    reloads: bool = False

    def views_of(self, params: Mapping[str, str], variant: Variant | None = None) -> tuple[ViewInfo, ...]:
        """The views with those columns that exist with these parameters, and that this variant measures."""
        chosen = {f"{name}={value}" for name, value in params.items()}
        lacks = variant.lacks if variant is not None else ()
        return tuple(_with_columns(view, chosen, lacks) for view in self.views)

    @property
    def default_views(self) -> tuple[ViewInfo, ...]:
        """The views without any parameter."""
        return self.views_of({param.name: param.default for param in self.params if param.default is not None})

    @property
    def written(self) -> str:
        """All C of the probe."""
        return "\n".join((*self.headers.values(), self.source))

    @property
    def asks(self) -> bool:
        """Whether the probe requires a parameter, or each of its variants requires one without a default."""
        given = {param.name for param in self.params if param.default is not None}
        required = any(param.required for param in self.params)
        return required or (bool(self.variants) and all(variant.params - given for variant in self.variants))

    @property
    def category(self) -> str:
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        return self.id.partition("/")[2]


def _with_columns(view: ViewInfo, chosen: set[str], lacks: tuple[str, ...]) -> ViewInfo:
    absent = {column.field for column in view.columns if column.given and column.given not in chosen}
    by = [field for field in view.by if field not in absent]
    return msgspec.structs.replace(
        view,
        columns=[column for column in view.columns if column.field not in absent.union(lacks)],
        by=by,
        moments=view.moments if by == [view.process_field] else "",
    )
