"""Reads a probe's files: regular files of UTF-8 text of limited size, in folders with a limited number of entries."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.catalog.trust import changed_by, distrust

MANIFEST = "probe.toml"
SOURCE = "probe.bpf.c"
README = "README.md"
HEADER = ".h"  # the suffix of a probe's own headers

LIMIT = 256 * 1024  # bytes per file
MOST_ENTRIES = 1000  # of a folder


class Unreadable(Exception):
    """An unusable file; the text is one line, `FILE: why` or `FILE:LINE: why`."""


def read_text(path: Path, owners: Collection[int] | None = None) -> str:
    """The text of a regular file of at most LIMIT bytes. Raises Unreadable.

    owners: if given, the file is read only if it isn't a link, and nobody but these users can write to it or to any
    folder on its path.
    """
    name = inert(str(path))
    try:
        if owners is not None and (why := distrust(path.parent, owners)):
            raise Unreadable(f"{why}; {path.name} in it is ignored")
        # Non-blocking, so that a FIFO in the folder can't hang us.
        follow = 0 if owners is None else os.O_NOFOLLOW
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | follow)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{name}: not a regular file")
            if owners is not None and (why := changed_by(status, owners)):
                raise Unreadable(f"{name}: {why}")
            data = file.read(LIMIT + 1)
    except OSError as error:
        if error.errno == errno.ELOOP and owners is not None:
            raise Unreadable(f"{name}: a symbolic link, which is not followed") from None
        raise Unreadable(f"{name}: {error.strerror}") from None
    if len(data) > LIMIT:
        raise Unreadable(f"{name}: larger than {LIMIT // 1024} KiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{name}:{line}: not UTF-8 text") from None


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, at most MOST_ENTRIES, in order. Raises Unreadable."""
    try:
        with os.scandir(folder) as listing:
            found = [folder / entry.name for entry in islice(listing, MOST_ENTRIES + 1)]
    except OSError as error:
        raise Unreadable(f"{inert(str(folder))}: {error.strerror}") from None
    if len(found) > MOST_ENTRIES:
        raise Unreadable(f"{inert(str(folder))}: more than {MOST_ENTRIES:,} entries")
    return sorted(found)
