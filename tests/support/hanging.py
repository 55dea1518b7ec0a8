"""A file system that never answers: a process that looks up a name in it blocks until killed. Needs root and FUSE."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def hanging(folder: Path) -> Iterator[Path]:
    """The file system, mounted at a new folder."""
    folder.mkdir()
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    try:
        if _libc.mount(b"hanging", bytes(folder), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mounting a file system that hangs")
        yield folder
    finally:
        os.close(device)  # this fails all waiting requests
        _libc.umount2(bytes(folder), _MNT_DETACH)
