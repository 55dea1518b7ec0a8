"""Tells whether the kernel killed a child because memory ran out: a wait status shows only SIGKILL."""

from __future__ import annotations

import os
import re
import signal
from functools import cache
from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.kernel import mounts

_MEMBERSHIP, _MACHINE = Path("/proc/self/cgroup"), Path("/proc/vmstat")
_NO_LIMIT = 1 << 60  # version 1 shows no limit as a number near 2⁶³


class Killed:
    """Attributes deaths to the kernel's count of those that it killed for lack of memory, each to one of them.

    The count is that of our control group, of either version, or else that of the machine: see cgroups(7) and
    Documentation/admin-guide/cgroup-v2.rst.
    """

    def __init__(self) -> None:
        self._group, self._top = _group()
        self._known = self._count()

    def why(self, status: int) -> str:
        """Why a child with this wait status was killed, after "was killed", if memory ran out; else ""."""
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL or self._count() <= self._known:
            return ""
        self._known += 1
        limits = {limit: file for file in self._limits() if (limit := _number(file)) < _NO_LIMIT}
        if not limits:
            return "by the kernel because the machine ran out of memory"
        limit = min(limits)
        return (
            f"by the kernel because memory ran out: its control group may use {limit >> 20:,} MiB; "
            f"raise {inert(str(limits[limit]))} (for a unit: MemoryMax=)"
        )

    def _count(self) -> int:
        files = [self._group / "memory.events", self._group / "memory.oom_control"] if self._group else []
        for file in (*files, _MACHINE):
            try:
                if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
                    return int(found[1])
            except OSError:
                continue
        return 0

    def _limits(self) -> list[Path]:
        """The files that limit our control group and those around it."""
        if self._group is None:
            return []
        around = [each for each in (self._group, *self._group.parents) if each.is_relative_to(self._top)]
        return [each / name for each in around for name in ("memory.max", "memory.limit_in_bytes")]


def _group() -> tuple[Path | None, Path]:
    """The folder of our control group in the hierarchy that limits memory, and the hierarchy's mount point."""
    try:
        lines = [line.split(":", 2) for line in _MEMBERSHIP.read_text().splitlines()]
        by_controller = {name: (int(number), path) for number, names, path in lines for name in names.split(",")}
        number, path = by_controller.get("memory") or by_controller[""]  # version 2 has no names
        top = mounts.hierarchies()[number]
    except (OSError, LookupError, ValueError):
        return None, Path("/")
    folder = top / path.lstrip("/")
    return (folder if folder.is_dir() else top), top  # seen from a container, the path may be another


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return _NO_LIMIT


@cache
def killed() -> Killed:
    """The count of this process's children; call it before the first of them starts."""
    return Killed()
