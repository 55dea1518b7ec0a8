"""Private groups with a CPU quota for tests, and the kernel's account of them; control groups of version 1 or 2."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


class Throttled(NamedTuple):
    """What cpu.stat has counted: periods in which the group was held back, and for how many ns in all, on all CPUs."""

    times: int
    ns: int


class CpuCgroup:
    """One group."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def throttled(self) -> Throttled:
        lines = (line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
        stat = {name: int(value) for name, value in lines}
        ns = stat["throttled_time"] if "throttled_time" in stat else stat["throttled_usec"] * 1000
        return Throttled(stat["nr_throttled"], ns)


@contextlib.contextmanager
def cpu_cgroup(quota_us: int, period_us: int) -> Iterator[CpuCgroup]:
    """A new group that may use so much CPU time in each period. Its processes must have ended when the `with` ends."""
    parent, v2 = _hierarchy()
    if v2:
        (parent / "cgroup.subtree_control").write_text("+cpu")
    folder = parent / f"ebpftop-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        if v2:
            (folder / "cpu.max").write_text(f"{quota_us} {period_us}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(period_us))
            (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
        yield CpuCgroup(folder)
    finally:
        folder.rmdir()


def _hierarchy() -> tuple[Path, bool]:
    """(where it is mounted, whether it is of version 2)."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(place), False
        controllers = Path(place) / "cgroup.controllers"
        if kind == "cgroup2" and os.access(controllers, os.R_OK) and "cpu" in controllers.read_text().split():
            return Path(place), True
    pytest.skip("no control groups of CPU time are mounted")
