"""The dashboard's requirements on its terminal."""

from __future__ import annotations

import os
import sys

from ebpftop.base.errors import UsageError


def require() -> None:
    """Raises `UsageError` without a terminal that can draw a full screen."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError("the dashboard needs a terminal; without one, use 'ebpftop run PROBE'")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("the dashboard needs a full-screen terminal, but TERM is unset or 'dumb'")
