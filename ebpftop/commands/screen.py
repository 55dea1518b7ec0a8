"""What the dashboard needs of the terminal it is started in."""

from __future__ import annotations

import os
import sys

from ebpftop.base.errors import UsageError


def require() -> None:
    """Raises `UsageError` where there is no terminal, or none that a whole screen can be drawn on."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError("the dashboard needs a terminal; 'ebpftop run PROBE' writes to a pipe")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("the dashboard needs a terminal that draws whole screens; TERM says that this is none")
