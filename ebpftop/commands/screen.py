"""What the dashboard needs of the terminal it is started in."""

from __future__ import annotations

import os
import resource
import sys

from ebpftop.base.errors import Cannot, UsageError

_FILES = 32  # descriptors that a dashboard takes


def require() -> None:
    """Raises `UsageError` where there is no terminal, or none that a whole screen can be drawn on, and `Cannot` where
    too few files may be open.
    """
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError("the dashboard needs a terminal; 'ebpftop run PROBE' writes to a pipe")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("the dashboard needs a terminal that draws whole screens; TERM says that this is none")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _FILES:
        raise Cannot(
            f"{files} files may be open at once; the dashboard needs {_FILES}: raise the limit with 'ulimit -n'"
        )
