"""The memory that columns use."""

from __future__ import annotations

from ebpftop.frames.messages import Columns

_LABEL = 57  # bytes of a str object without its characters, plus the reference to it


def size(columns: Columns) -> int:
    """Approximate size in bytes."""
    return sum(len(each.data) + _of(each.labels or []) for each in columns.values())


def _of(labels: list[str]) -> int:
    return _LABEL * len(labels) + sum(map(len, labels))
