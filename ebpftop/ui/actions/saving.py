"""Saving text to a new file that only its owner can read."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path


def save(name: str, text: str) -> Path:
    """Write NAME-DATE-TIME.txt to the current folder, or to the home folder if the current one isn't writable. Raises
    `OSError`.
    """
    bare = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "ebpftop"
    file = f"{bare}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        return _new(Path.cwd(), file, text)
    except OSError:
        return _new(Path.home(), file, text)


def _new(folder: Path, name: str, text: str) -> Path:
    """Create a file of this name, with a number appended if it already exists."""
    path, number = folder / f"{name}.txt", 2
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            path, number = folder / f"{name}-{number}.txt", number + 1
        else:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            return path
