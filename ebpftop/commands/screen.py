"""The dashboard's requirements on its terminal."""

from __future__ import annotations

import os
import resource
import sys

from ebpftop.base.errors import Cannot, UsageError

_FILES = 32  # descriptors that a dashboard uses


def require() -> None:
    """Raises `UsageError` without a terminal that can draw a full screen, `Cannot` if too few files may be open."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError("the dashboard needs a terminal; without one, use 'ebpftop run PROBE'")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("the dashboard needs a full-screen terminal, but TERM is unset or 'dumb'")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _FILES:
        raise Cannot(f"the limit of open files is {files}, and the dashboard needs {_FILES}: raise it with 'ulimit -n'")
