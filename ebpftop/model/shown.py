"""The displayed columns of a view: as declared, and for a process its PID, name, parent, command line and place (where
it runs, and with which PID there).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ebpftop.frames.messages import ColumnInfo, Process
from ebpftop.model.dimensions import container, pod, unit

PLACES = ("container", "pod", "unit", "nspid")
Part = Literal["pid", "comm", "parent", "command", "container", "pod", "unit", "nspid"]
_PARTS: dict[Part, Callable[[Process], int | str | None]] = {
    "pid": lambda process: process.tgid,
    "comm": lambda process: process.comm,
    "parent": lambda process: process.parent,
    "command": lambda process: process.command,
    "container": container,
    "pod": pod,
    "unit": unit,
    "nspid": lambda process: process.nspid or None,
}
_SCALARS = ("key", "value")  # what a scalar is called in a map: its title says more


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """One column. name: in JSON and CSV, distinct within a view. title: for people. part: the part of a process that it
    shows; None for a column as declared.
    """

    info: ColumnInfo
    name: str
    title: str
    part: Part | None = None

    @property
    def id(self) -> str:
        """The sort name: `tgid.comm`, or the field."""
        return f"{self.info.field}.{self.part}" if self.part else self.info.field

    @property
    def unit(self) -> str:
        return "" if self.part else self.info.unit

    @property
    def is_detail(self) -> bool:
        """Whether it only explains another column, and may be hidden for lack of space."""
        return self.part not in (None, "pid", "comm")

    @property
    def is_place(self) -> bool:
        """Whether it says where a process runs: hidden if no process has such a place."""
        return self.part in PLACES

    @property
    def is_time(self) -> bool:
        """Whether it holds nanoseconds since 1970."""
        return self.info.decode == "time"

    def of_process(self, identity: int, processes: Mapping[int, Process]) -> int | str | None:
        """The part's value; None for an unknown identity, and if there is none."""
        assert self.part
        process = processes.get(identity)
        return None if process is None else _PARTS[self.part](process)


def shown_columns(columns: Sequence[ColumnInfo]) -> list[ShownColumn]:
    """The columns in order, several for a process.

    If a part's name is taken by a field or by an earlier process, it gets the column's own name as a prefix:
    `target_pid`.
    """
    taken = {_name(column) for column in columns if not column.is_process}
    shown: list[ShownColumn] = []
    for column in columns:
        if column.is_process:
            parts = [_part(column, part, part in taken) for part in _PARTS]
            taken.update(each.name for each in parts)
            shown += parts
        else:
            shown.append(ShownColumn(column, _name(column), column.title))
    return shown


def _part(column: ColumnInfo, part: Part, taken: bool) -> ShownColumn:
    if taken:
        return ShownColumn(column, f"{_name(column)}_{part}", f"{column.title} {part}", part)
    return ShownColumn(column, part, part, part)


def _name(column: ColumnInfo) -> str:
    return column.title if column.field in _SCALARS else column.field
