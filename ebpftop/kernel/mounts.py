"""Mount points of file systems, also with unusual bytes in their paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ESCAPE = re.compile(rb"\\([0-7]{3})")  # blanks, tabs, newlines and backslashes


def of_kind(kind: str, table: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Mount points of file systems of this type, in the table's order. Raises `OSError`."""
    lines = (line.split(b" ") for line in table.read_bytes().split(b"\n"))
    places = (fields[1] for fields in lines if len(fields) > 2 and fields[2] == kind.encode())
    return [Path(os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), place))) for place in places]


def cgroups() -> Path | None:
    """Where the cgroup2 hierarchy is mounted."""
    return next(iter(of_kind("cgroup2")), None)
