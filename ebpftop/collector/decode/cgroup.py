"""Control groups by id: the id of a group is the inode of its directory, in the file system of its hierarchy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ebpftop.kernel import mounts

_PATIENCE = 1.0  # seconds between two walks
_KEPT = 16_384  # paths remembered, those of groups long gone among them
V2 = 0  # the number of the hierarchy of version 2


class Cgroups:
    """Paths by id. A removed group keeps its path, if it was seen.

    roots: the mount points of hierarchies, by the kernel's numbers. learned: called with id, hierarchy and path of a
    group that is new or has moved.
    """

    def __init__(self, roots: Mapping[int, Path] | None = None) -> None:
        self.roots = mounts.hierarchies() if roots is None else roots
        self.learned: Callable[[int, int, str], None] = lambda number, hierarchy, path: None
        self._paths: dict[tuple[int, int], str] = {}
        self._walked = dict.fromkeys(self.roots, -_PATIENCE)

    def path(self, number: int, hierarchy: int = V2) -> str:
        """Path below the hierarchy's root, which is "/"; "" if it is unknown.

        For an unknown id it walks the hierarchy again, at most once a second.
        """
        root, known = self.roots.get(hierarchy), (hierarchy, number) in self._paths
        if root is not None and not known and time.monotonic() - self._walked[hierarchy] >= _PATIENCE:
            self._walk(hierarchy, root)
        return self._paths.get((hierarchy, number), "")

    def learn(self, number: int, hierarchy: int, path: str) -> None:
        """From now on a group has this path."""
        if hierarchy in self.roots and path.startswith("/"):
            known = self._paths.pop((hierarchy, number), None)  # the newest last
            self._paths[hierarchy, number] = path
            if len(self._paths) > _KEPT:
                del self._paths[next(iter(self._paths))]
            if known != path:
                self.learned(number, hierarchy, path)

    def existing(self) -> list[tuple[int, dict[str, int]]]:
        """All groups of each hierarchy, version 2 first: ids by path."""
        return [(number, dict(_walk(root))) for number, root in sorted(self.roots.items())]

    def _walk(self, hierarchy: int, root: Path) -> None:
        for path, number in _walk(root):
            self.learn(number, hierarchy, path)
        self._walked[hierarchy] = time.monotonic()


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    """Paths below the root of a hierarchy, and their ids."""
    for folder, _, _ in os.walk(root):
        try:
            number = os.stat(folder).st_ino
        except OSError:  # gone, or not accessible
            continue
        name = os.fsencode(folder.removeprefix(str(root))).decode("utf-8", "backslashreplace")
        yield name or "/", number
