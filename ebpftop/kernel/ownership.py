"""Checks who can change files that root will run."""

from __future__ import annotations

from pathlib import Path


def only_root_writes(path: Path) -> bool:
    """Whether a directory, its modules and all its parents are owned by root and writable by root only."""
    path = path.resolve()
    try:
        return all(_roots_own(one) for one in (path, *path.parents, *path.glob("*.py")))
    except OSError:
        return False


def _roots_own(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == 0 and not status.st_mode & 0o022
