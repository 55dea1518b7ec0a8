"""Where this user keeps what can be made again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ebpftop.kernel import capabilities

ROOTS = Path("/var/cache/ebpftop")


def folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder, which may not exist yet; None for who may trace without being root: other processes of the same user
    may not, and decide nothing here.
    """
    if os.geteuid() == 0:
        return ROOTS
    if capabilities.may_trace():
        return None
    home = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "ebpftop" if os.path.isabs(home) else None
