"""The lock that a tape's writer holds as long as it writes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock(fd: int) -> bool:
    """Lock a file that is to be written, until it is closed; False if another has locked it."""
    return _lock(fd, fcntl.LOCK_EX)


def is_locked(fd: int) -> bool:
    """Whether somebody else writes this file, as far as its file system has locks."""
    if not _lock(fd, fcntl.LOCK_SH):
        return True
    _lock(fd, fcntl.LOCK_UN)
    return False


def is_recorded(path: Path) -> bool:
    """Whether a `TapeWriter` is writing this file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return is_locked(fd)
    finally:
        os.close(fd)


def _lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True
