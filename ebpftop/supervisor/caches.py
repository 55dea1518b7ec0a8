"""This user's folder for caches."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ebpftop.base.answering import path_answers
from ebpftop.kernel import capabilities

ROOTS = Path("/var/cache/ebpftop")


def folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder, which may not exist yet. None if its file system doesn't answer, and for users who trace without
    being root, because their other processes lack their capabilities and must not influence what is traced.
    """
    if os.geteuid() == 0:
        return ROOTS
    if capabilities.may_trace():
        return None
    home = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = Path(home) / "ebpftop"
    return found if os.path.isabs(home) and path_answers(found) else None
