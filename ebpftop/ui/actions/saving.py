"""Saving to a new file that only its owner can read."""

from __future__ import annotations

import contextlib
import re
import time
from itertools import count
from pathlib import Path

from ebpftop.base.home import home
from ebpftop.export.files import FileRefused, write


def save(name: str, content: str | bytes, ending: str = "txt") -> Path:
    """Write NAME-DATE-TIME.ENDING to the current folder, or to the home folder if the current one can't take it. The
    file is complete, or there is none. Raises `OSError`.
    """
    data = content.encode() if isinstance(content, str) else content
    bare = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "ebpftop"
    file = f"{bare}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        return _new(Path.cwd(), file, ending, data)
    except OSError:
        if (other := home()) is None:
            raise
        return _new(other, file, ending, data)


def _new(folder: Path, name: str, ending: str, data: bytes) -> Path:
    """Create a file of this name, with a number appended if it already exists."""
    numbered = (f"{name}-{number}" for number in count(2))
    path = folder / f"{name}.{ending}"
    while True:
        with contextlib.suppress(FileRefused):  # something has this name
            write(path, data)
            return path
        path = folder / f"{next(numbered)}.{ending}"
