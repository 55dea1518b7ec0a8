"""Reading a probe's files: regular files of UTF-8 text of limited size, in folders of limited length."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from ebpftop.base.inert import inert

LIMIT = 256 * 1024  # bytes per file
MOST_ENTRIES = 1000  # of a folder


class Unreadable(Exception):
    """An unusable file; the text is one line, `FILE: why` or `FILE:LINE: why`."""


def read_text(path: Path) -> str:
    """The text of a regular file of at most LIMIT bytes. Raises Unreadable."""
    name = inert(str(path))
    try:
        # Non-blocking, so that a FIFO in the folder can't hang us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable(f"{name}: not a regular file")
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None
    if len(data) > LIMIT:
        raise Unreadable(f"{name}: larger than {LIMIT // 1024} KiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{name}:{line}: not UTF-8 text") from None


def entries(folder: Path) -> list[Path]:
    """What a folder of at most MOST_ENTRIES contains, in order. Raises Unreadable."""
    try:
        with os.scandir(folder) as listing:
            found = [folder / entry.name for entry in islice(listing, MOST_ENTRIES + 1)]
    except OSError as error:
        raise Unreadable(f"{inert(str(folder))}: {error.strerror}") from None
    if len(found) > MOST_ENTRIES:
        raise Unreadable(f"{inert(str(folder))}: more than {MOST_ENTRIES:,} entries")
    return sorted(found)
