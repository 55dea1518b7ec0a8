"""Control groups by path: the number the kernel knows one by is the inode of its folder in the cgroup2 file system."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ebpftop.kernel import mounts


class BadCgroup(OSError):
    """The path names no control group; `strerror` is one line."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ENOENT, why)


def identifier(path: str) -> int:
    """The id of a control group given by its path, absolute or below the hierarchy. Raises `BadCgroup`."""
    root = mounts.cgroups()
    if root is None:
        raise BadCgroup("this machine has no cgroup2 hierarchy")
    folder = Path(os.path.normpath(root / path.removeprefix(str(root)).lstrip("/")))
    try:
        status = os.lstat(folder)
        inside = folder.resolve().is_relative_to(root)
    except OSError as error:
        raise BadCgroup(f"no control group {str(folder)!a}: {error.strerror}") from None
    if not inside or not stat.S_ISDIR(status.st_mode):
        raise BadCgroup(f"{str(folder)!a} is not a control group below {root}")
    return status.st_ino
