"""Home folders, which not every user has."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def home() -> Path | None:
    """This user's home folder. None without HOME and without an entry in passwd, as happens in containers."""
    found = os.path.expanduser("~")
    return Path(found) if os.path.isabs(found) else None


def expanded(path: Path) -> Path:
    """The path with the home folder in place of `~` or `~USER`. Raises `OSError` if there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise OSError(errno.ENOENT, f"no home folder is known for {path.parts[0]}", str(path)) from None
