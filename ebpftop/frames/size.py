"""What columns take in memory."""

from __future__ import annotations

from ebpftop.frames.messages import Columns

_LABEL = 57  # bytes of a str beside its characters, and of the reference to it


def size(columns: Columns) -> int:
    """Bytes, about."""
    return sum(len(each.data) + sum(_LABEL + len(label) for label in each.labels or ()) for each in columns.values())
