"""Pressure stall information: how long tasks have waited for CPU, memory or I/O, for the machine and for one version 2
cgroup. It is missing on kernels without it and for version 1 cgroups. See Documentation/accounting/psi.rst.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ebpftop.frames.messages import Pressure

RESOURCES = ("cpu", "memory", "io")
MACHINE = Path("/proc/pressure")


class Pressures:
    """Files stay open, so a look costs one system call per file. knows: whether a cgroup with this path exists; other
    paths aren't opened.
    """

    def __init__(self, knows: Callable[[str], bool], root: Path | None, machine: Path = MACHINE) -> None:
        self._knows, self._root = knows, root
        self._machine = _opened({name: machine / name for name in RESOURCES})
        self.cgroup = ""
        self._of_cgroup: dict[str, int] = {}

    def watch(self, cgroup: str) -> None:
        """Watch this cgroup from now on; "" is none."""
        if cgroup == self.cgroup:
            return
        for fd in self._of_cgroup.values():
            os.close(fd)
        self.cgroup, self._of_cgroup = "", {}
        if self._root is not None and cgroup.strip("/") and ".." not in cgroup.split("/") and self._knows(cgroup):
            folder = self._root / cgroup.strip("/")
            self._of_cgroup = _opened({name: folder / f"{name}.pressure" for name in RESOURCES})
            self.cgroup = cgroup if self._of_cgroup else ""

    def read(self) -> dict[str, Pressure]:
        """The machine's pressure, by resource."""
        return _read(self._machine)

    def read_cgroup(self) -> dict[str, Pressure]:
        """The watched cgroup's pressure; none once it is gone."""
        return _read(self._of_cgroup)


def _opened(files: dict[str, Path]) -> dict[str, int]:
    found = {}
    for name, path in files.items():
        with contextlib.suppress(OSError):
            found[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return found


def _read(files: dict[str, int]) -> dict[str, Pressure]:
    found = {}
    for name, fd in files.items():
        with contextlib.suppress(OSError, ValueError):  # switched off, or gone
            found[name] = parse(os.pread(fd, 512, 0))
    return found


def parse(text: bytes) -> Pressure:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=112777072`, and a line `full`. Raises `ValueError`."""
    totals = {}
    for line in text.splitlines():
        which, _, rest = line.partition(b" ")
        totals[which] = int(rest.partition(b"total=")[2]) * 1000
    if b"some" not in totals:
        raise ValueError("no line `some`")
    return Pressure(some_ns=totals[b"some"], full_ns=totals.get(b"full", 0))
