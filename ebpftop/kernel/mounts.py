"""Finds mount points of file systems, including paths with unusual bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_ESCAPE = re.compile(rb"\\([0-7]{3})")  # blanks, tabs, newlines and backslashes
MOUNTS, CONTROLLERS = Path("/proc/self/mounts"), Path("/proc/cgroups")


def of_kind(kind: str, table: Path = MOUNTS) -> list[Path]:
    """Mount points of file systems of this type, in the table's order. Raises `OSError`."""
    return [place for place, _ in _mounted(kind, table)]


def _mounted(kind: str, table: Path) -> Iterator[tuple[Path, list[str]]]:
    """Mount points and options."""
    for line in table.read_bytes().split(b"\n"):
        fields = line.split(b" ")
        if len(fields) > 3 and fields[2] == kind.encode():
            place = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), fields[1])
            yield Path(os.fsdecode(place)), os.fsdecode(fields[3]).split(",")


def cgroups() -> Path | None:
    """The mount point of the cgroup2 hierarchy; None if it isn't mounted."""
    return next(iter(of_kind("cgroup2")), None)


def controllers(hierarchy: int, table: Path = CONTROLLERS) -> set[str]:
    """The enumerators of `enum cgroup_subsys_id` that are in a hierarchy of version 1. Raises `OSError`."""
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    names = {name for name, number, *_ in rows if int(number) == hierarchy}
    return {f"{'io' if name == 'blkio' else name}_cgrp_id" for name in names}


def hierarchies(table: Path = MOUNTS, controllers: Path = CONTROLLERS) -> dict[int, Path]:
    """The mount points of the control group hierarchies with controllers, by the kernel's number for the hierarchy: 0
    is version 2, and alone where /proc hides the numbers of the others (its option `subset=pid`). See cgroups(7).
    Raises `OSError`.
    """
    found = dict(enumerate(of_kind("cgroup2", table)[:1]))
    try:
        rows = controllers.read_text().splitlines()[1:]
    except OSError:
        return found
    numbers = {name: int(fields[0]) for name, *fields in map(str.split, rows)}
    for place, options in _mounted("cgroup", table):
        for number in {numbers[name] for name in options if numbers.get(name)}:
            found.setdefault(number, place)
    return found
