"""Checks who can change a file: root's decisions depend only on files that nobody else can change."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from ebpftop.base.inert import inert

ROOT = frozenset({0})


def distrust(path: Path, owners: Collection[int] = ROOT) -> str:
    """Why others than these users can change the target of this path, else "". A sticky folder protects its entries.

    Raises `OSError`.
    """
    real = path.resolve()
    for place in (real, *real.parents):
        status = place.stat()
        if why := changed_by(status, owners, sticky=place != real):
            return f"{inert(str(place))}: {why}"
    return ""


def changed_by(status: os.stat_result, owners: Collection[int], *, sticky: bool = False) -> str:
    """Why others than these users can change a file or folder, else "". sticky: a sticky folder counts as theirs."""
    who = "root" if set(owners) == ROOT else "root and you"
    if status.st_uid not in owners:
        return f"not owned by {who.replace('and', 'or')}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (sticky and status.st_mode & stat.S_ISVTX):
        return f"users other than {who} can write to it"
    return ""
