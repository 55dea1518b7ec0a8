"""Dimensions: the subjects of rows, with the same meaning in every view that has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ebpftop.base.cgroup_path import home, short
from ebpftop.frames.messages import FOLDED, UNKNOWN, ColumnInfo, Process, ViewInfo

PROCESS, FUNCTION = "process", "function"
NAME = "name"
PARENT, CGROUP = "parent", "cgroup"  # whose values are nodes of trees
THREAD = "thread"
HOST = "host"


def unit(process: Process) -> str:
    """The innermost systemd unit of a process; "" if there is none."""
    return home(process.cgroup).unit


def container(process: Process) -> str:
    """The runtime's name of its container, or else the beginning of the container's id; "" outside."""
    return process.container or short(home(process.cgroup).container)


def pod(process: Process) -> str:
    """Its pod, with the namespace, or else the pod's uid; "" outside."""
    return process.pod or short(home(process.cgroup).pod)


# What several processes have in common, and how a process says it; "" where it doesn't.
TRAITS: dict[str, Callable[[Process], str]] = {
    "name": lambda process: process.comm,
    "parent": lambda process: f"{process.parent} {process.ppid}" if process.ppid else "",
    "user": lambda process: process.user,
    "unit": unit,
    "container": container,
    "pod": pod,
    "image": lambda process: process.image,
    "cgroup": lambda process: process.cgroup,
}
_BY_DECODER = {
    PROCESS: PROCESS,
    "thread": "tid",
    "syscall": "call",
    "errno": "error",
    "cgroup": "cgroup",
    "device": "device",
    HOST: HOST,
}
_BY_TITLE = (None, "string", "comm", "point", "user")  # what these decode means what the column's title says


class Source(NamedTuple):
    """A dimension of a view, and the field with its values, "" for the functions of a call stack. trait: of the field's
    processes, or "".
    """

    dimension: str
    title: str
    field: str
    trait: str = ""


def keys_of(view: ViewInfo) -> list[ColumnInfo]:
    """The columns with the subject of a row."""
    if view.show == "events":
        return [column for column in view.columns if column.role == "key" and not column.hidden]
    return [column for column in view.columns if column.role == "key"] if view.show == "table" else view.by_columns


def dimension_of(column: ColumnInfo) -> tuple[str, str] | None:
    """The dimension of a key column and its title; None for amounts and times."""
    if column.role != "key" or column.unit or column.decode == "time":
        return None
    field, title = column.field.replace("_", " "), column.title.lower()
    if column.decode in _BY_DECODER:
        title = _BY_DECODER[column.decode]
    elif column.decode == "address":
        title = f"{field} address"
    elif column.decode == "port":
        title = field
    elif column.decode not in _BY_TITLE:
        return f"{column.decode} {title}", title
    return title, title


class ThreadFields(NamedTuple):
    """The key fields for threads: their numbers, 0 for those that have ended, and their names."""

    number: str
    name: str


def threads_of(view: ViewInfo) -> ThreadFields | None:
    """The thread fields of a view whose rows are kept by thread."""
    names = (column.field for column in keys_of(view) if column.decode == "comm" and column.title == THREAD)
    name = next(names, None)
    return ThreadFields(view.thread_field, name) if view.thread_field is not None and name is not None else None


def sources(view: ViewInfo) -> list[Source]:
    """The dimensions of a view: those of its columns, then the traits of its processes. Some occur twice."""
    found: list[Source] = []
    traits: list[Source] = []
    for column in keys_of(view):
        if (dimension := dimension_of(column)) is not None:
            found.append(Source(*dimension, column.field))
        if column.is_process:
            traits += [Source(trait, trait, column.field, trait) for trait in TRAITS]
    if view.show == "stacks":
        traits.append(Source(FUNCTION, FUNCTION, ""))
    return found + traits


def trait(name: str, identity: int, processes: Mapping[int, Process]) -> str:
    """A process's value of a trait; "" if unknown."""
    process = processes.get(identity)
    return TRAITS[name](process) if process is not None else ""


def is_somebody(identity: int) -> bool:
    """Whether an identity is that of one process."""
    return identity not in (FOLDED, UNKNOWN)


def function_key(name: str, module: str, side: str) -> str:
    """Equal for all addresses in one function."""
    return "\0".join((name, module, side))
