"""The cgroups to which a run is limited, in a map of its programs.

Groups that appear later, such as those of a restarted unit, are added as soon as the census reports them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import NamedTuple

from ebpftop.collector.decode.cgroup import V2
from ebpftop.collector.decode.kernel_enum import KernelEnum
from ebpftop.collector.selector import Selector
from ebpftop.kernel import libbpf, mounts

MOST = 4095  # groups of one run: `_groups` of ebpftop_maps.h has an entry more
_UNNAMED = 256  # groups that are looked at again once their container has a name


class Found(NamedTuple):
    """The selection in one hierarchy, which is mounted at `root`. groups: ids by path, of all groups in it."""

    selector: Selector
    hierarchy: int
    root: Path
    groups: dict[str, int]


class GroupFilter:
    """The groups of one run, a `Subject`. fd: of its map; the caller keeps it. Raises `OSError`."""

    def __init__(self, found: Found, fd: int) -> None:
        self._selector, self._hierarchy, self._root, self._fd = found.selector, found.hierarchy, found.root, fd
        self._gone = False
        self._paths: dict[int, str] = {}
        self._unnamed: dict[int, str] = {}
        self._update(0, _subsystem(found.hierarchy))
        for path in found.selector.topmost(found.groups):
            self._put(found.groups[path], path)

    def began(self, number: int, hierarchy: int, path: str) -> None:
        """From now on a group has this path."""
        if hierarchy == self._hierarchy and not self._take(number, path):
            self._unnamed[number] = path
            if len(self._unnamed) > _UNNAMED:
                del self._unnamed[next(iter(self._unnamed))]

    def renamed(self) -> None:
        """Containers have new names."""
        for number, path in [*self._unnamed.items()]:
            if self._take(number, path):
                del self._unnamed[number]

    def look(self) -> str:
        """A line when none of them exists any more, and when one exists again; otherwise ""."""
        gone = not any(self._exists(number, path) for number, path in reversed(self._paths.items()))
        if gone == self._gone:
            return ""
        self._gone = gone
        return f"{self._selector} {'is gone: counting resumes when it is back' if gone else 'is back'}"

    def _take(self, number: int, path: str) -> bool:
        """Add a group if it is selected, unless one above it has been added. Returns whether it is selected."""
        top = self._selector.topmost([path])
        if top and number not in self._paths and (path in top or not {*top} & {*self._paths.values()}):
            self._put(number, path)
        return bool(top)

    def _exists(self, number: int, path: str) -> bool:
        try:
            return os.stat(f"{self._root}{path}").st_ino == number
        except OSError:
            return False

    def _put(self, number: int, path: str) -> None:
        if len(self._paths) >= MOST:
            for other in [n for n, p in self._paths.items() if not self._exists(n, p)]:
                del self._paths[other]
                libbpf.library().bpf_map_delete_elem(self._fd, ctypes.byref(ctypes.c_uint64(other)))
        if len(self._paths) < MOST:
            self._paths[number] = path
            with contextlib.suppress(OSError):  # it is closed
                self._update(number, 1)

    def _update(self, number: int, value: int) -> None:
        key, held = ctypes.byref(ctypes.c_uint64(number)), ctypes.byref(ctypes.c_uint32(value))
        libbpf.checked(libbpf.library().bpf_map_update_elem(self._fd, key, held, 0), "choosing cgroups")


def _subsystem(hierarchy: int) -> int:
    """The map's value for a hierarchy: 0 for version 2, otherwise the number of one of its subsystems plus 1. Raises
    `OSError`.
    """
    if hierarchy == V2:
        return 0
    names = mounts.controllers(hierarchy)
    numbers = [number for number, name in KernelEnum("cgroup_subsys_id", "").names.items() if name in names]
    if not numbers:
        raise OSError(0, f"the kernel's BTF has no subsystem of cgroup hierarchy {hierarchy}")
    return numbers[0] + 1
