"""Private memory cgroups for tests, version 1 or 2, whichever this machine has; and swap space."""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest


class MemoryCgroup:
    """One group."""

    def __init__(self, folder: Path, *, v2: bool) -> None:
        self.folder, self._v2 = folder, v2

    @property
    def procs(self) -> Path:
        """The file to which a process writes its number (0: its own) to join."""
        return self.folder / "cgroup.procs"

    @property
    def emptier(self) -> tuple[Path, str]:
        """A file, and the text to write to it, to reclaim all the group's reclaimable memory."""
        return (self.folder / "memory.reclaim", "1G") if self._v2 else (self.folder / "memory.force_empty", "0")


@contextlib.contextmanager
def memory_cgroup(limit: int | None = None) -> Iterator[MemoryCgroup]:
    """A new, empty group with this limit in bytes."""
    parent, v2 = _hierarchy()
    if v2:
        (parent / "cgroup.subtree_control").write_text("+memory")
    folder = parent / f"ebpftop-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        if limit is not None:
            (folder / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(str(limit))
        yield MemoryCgroup(folder, v2=v2)
    finally:
        folder.rmdir()


def _hierarchy() -> tuple[Path, bool]:
    """(mount point, whether it is of version 2)."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(place), False
        controllers = Path(place) / "cgroup.controllers"
        if kind == "cgroup2" and os.access(controllers, os.R_OK) and "memory" in controllers.read_text().split():
            return Path(place), True
    pytest.skip("no control groups of memory are mounted")


@contextlib.contextmanager
def swap_space() -> Iterator[None]:
    """A RAM disk as swap space: it writes synchronously and is read page by page, without read-ahead."""
    disk = "/dev/ram0"
    if not Path(disk).exists():
        pytest.skip(f"no {disk}: the RAM disk is in a module, brd, which make test-kernels loads")
    subprocess.run(["mkswap", disk], capture_output=True, check=True)
    subprocess.run(["swapon", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapoff", disk], check=True)
