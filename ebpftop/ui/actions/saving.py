"""Saving to a new file that only its owner can read."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path


def save(name: str, content: str | bytes, ending: str = "txt") -> Path:
    """Write NAME-DATE-TIME.ENDING to the current folder, or to the home folder if the current one isn't writable.
    Raises `OSError`.
    """
    data = content.encode() if isinstance(content, str) else content
    bare = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "ebpftop"
    file = f"{bare}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        return _new(Path.cwd(), file, ending, data)
    except OSError:
        return _new(Path.home(), file, ending, data)


def _new(folder: Path, name: str, ending: str, data: bytes) -> Path:
    """Create a file of this name, with a number appended if it already exists."""
    path, number = folder / f"{name}.{ending}", 2
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            path, number = folder / f"{name}-{number}.{ending}", number + 1
        else:
            with open(descriptor, "wb") as file:
                file.write(data)
            return path
