"""Cgroup ids: the inode number of the cgroup's directory in the cgroup2 file system."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ebpftop.kernel import mounts


class BadCgroup(OSError):
    """The path is not a cgroup; `strerror` is one line."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ENOENT, why)


def identifier(path: str) -> int:
    """The id of a cgroup, given its path, absolute or relative to the hierarchy. Raises `BadCgroup`."""
    root = mounts.cgroups()
    if root is None:
        raise BadCgroup("no cgroup2 hierarchy is mounted")
    folder = Path(os.path.normpath(root / path.removeprefix(str(root)).lstrip("/")))
    try:
        status = os.lstat(folder)
        inside = folder.resolve().is_relative_to(root)
    except OSError as error:
        raise BadCgroup(f"can't open cgroup {str(folder)!a}: {error.strerror}") from None
    if not inside or not stat.S_ISDIR(status.st_mode):
        raise BadCgroup(f"{str(folder)!a} is not a cgroup below {root}")
    return status.st_ino
