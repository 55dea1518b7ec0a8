"""Private control groups with limits, and the kernel's accounting for them; version 1 or 2, whichever this machine
has.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


class Throttled(NamedTuple):
    """The counts of cpu.stat: periods in which the group was throttled, and the total ns on all CPUs."""

    times: int
    ns: int


class Group:
    """One control group."""

    def __init__(self, folder: Path, *, v2: bool) -> None:
        self.folder, self.v2 = folder, v2

    def take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def counts(self, name: str) -> dict[str, int]:
        """The lines NAME NUMBER of one of its files."""
        lines = (line.split() for line in (self.folder / name).read_text().splitlines())
        return {key: int(value) for key, value in lines}

    def unlimit(self, device: Path) -> None:
        """Let throttled reads from a block device through."""
        number = device.stat().st_rdev
        name = f"{os.major(number)}:{os.minor(number)}"
        if self.v2:
            self.write("io.max", f"{name} riops=max")
        else:
            self.write("blkio.throttle.read_iops_device", f"{name} 0")

    def reads(self, device: Path) -> tuple[int, int]:
        """(requests, bytes) that its processes have read from a block device, limited or not."""
        number = device.stat().st_rdev
        name = f"{os.major(number)}:{os.minor(number)}"
        if self.v2:
            lines = (line.split() for line in (self.folder / "io.stat").read_text().splitlines())
            (found,) = (dict(field.split("=") for field in fields) for first, *fields in lines if first == name)
            return int(found["rios"]), int(found["rbytes"])
        counts = []
        for file in ("io_serviced", "io_service_bytes"):
            lines = (line.split() for line in (self.folder / f"blkio.throttle.{file}").read_text().splitlines())
            counts += [int(fields[2]) for fields in lines if fields[:2] == [name, "Read"]]
        requests, size = counts
        return requests, size

    def throttled(self) -> Throttled:
        stat = self.counts("cpu.stat")
        ns = stat["throttled_time"] if "throttled_time" in stat else stat["throttled_usec"] * 1000
        return Throttled(stat["nr_throttled"], ns)


@contextlib.contextmanager
def cpu_group(quota_us: int, period_us: int, name: str = "") -> Iterator[Group]:
    """A new group that may use this much CPU time in each period; a negative quota means no limit. Its processes must
    have ended when the `with` ends.
    """
    with _group("cpu", name=name) as group:
        if group.v2:
            group.write("cpu.max", f"{quota_us if quota_us >= 0 else 'max'} {period_us}")
        else:
            group.write("cpu.cfs_period_us", str(period_us))
            group.write("cpu.cfs_quota_us", str(quota_us))
        yield group


@contextlib.contextmanager
def disk_group(device: Path, per_second: int, kind: str = "read") -> Iterator[Group]:
    """A new group that may make this many requests a second of this kind, "read" or "write", to a block device."""
    number = device.stat().st_rdev
    limited = f"{os.major(number)}:{os.minor(number)}"
    with _group("io", "blkio") as group:
        try:
            if group.v2:
                group.write("io.max", f"{limited} {kind[0]}iops={per_second}")
            else:
                group.write(f"blkio.throttle.{kind}_iops_device", f"{limited} {per_second}")
        except FileNotFoundError:
            pytest.skip("this kernel can't limit disk requests")
        yield group


@contextlib.contextmanager
def pids_group(limit: int) -> Iterator[Group]:
    """A new group that may have this many processes at once."""
    with _group("pids") as group:
        group.write("pids.max", str(limit))
        yield group


@contextlib.contextmanager
def _group(controller: str, name_in_v1: str = "", name: str = "") -> Iterator[Group]:
    parent, v2 = _hierarchy(controller, name_in_v1 or controller)
    if v2:
        (parent / "cgroup.subtree_control").write_text(f"+{controller}")
    folder = parent / (name or f"ebpftop-test-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    try:
        yield Group(folder, v2=v2)
    finally:
        folder.rmdir()


def _hierarchy(controller: str, name_in_v1: str) -> tuple[Path, bool]:
    """(mount point, whether it is of version 2)."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and name_in_v1 in options.split(","):
            return Path(place), False
        controllers = Path(place) / "cgroup.controllers"
        if kind == "cgroup2" and os.access(controllers, os.R_OK) and controller in controllers.read_text().split():
            return Path(place), True
    pytest.skip(f"no control groups of {controller} are mounted")
