"""Control groups by id: the id of a group is the inode of its directory in the cgroup2 file system."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ebpftop.kernel import mounts

_PATIENCE = 1.0  # seconds between two walks
_KEPT = 16_384  # paths remembered, those of groups long gone among them


class Cgroups:
    """Paths by id. A group that is gone keeps the path it had, if it was seen."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or mounts.cgroups()
        self._paths: dict[int, str] = {}
        self._walked = -_PATIENCE

    def path(self, number: int) -> str:
        """Path below the hierarchy's root, which is "/" itself; "" where it is unknown.

        An unknown id makes it walk the hierarchy again, at most once a second.
        """
        if number not in self._paths and self._root and time.monotonic() - self._walked >= _PATIENCE:
            self._walk(self._root)
        return self._paths.get(number, "")

    def _walk(self, root: Path) -> None:
        for folder, _, _ in os.walk(root):
            try:
                number = os.stat(folder).st_ino
            except OSError:  # gone, or not accessible
                continue
            self._paths.pop(number, None)  # the newest last
            name = os.fsencode(folder.removeprefix(str(root))).decode("utf-8", "backslashreplace")
            self._paths[number] = name or "/"
        for number in list(self._paths)[:-_KEPT]:
            del self._paths[number]
        self._walked = time.monotonic()
