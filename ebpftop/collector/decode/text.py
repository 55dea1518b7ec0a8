"""C text in a char array, up to its NUL. The bytes after that are whatever was in memory before."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ebpftop.frames.columns import intern
from ebpftop.frames.messages import Column


def decode(values: npt.NDArray[Any]) -> Column:
    """A dictionary column of texts; bytes that aren't UTF-8 become visible escapes. Raises ValueError for numbers."""
    if values.dtype.kind != "S" or values.ndim != 1:
        raise ValueError(f"text is char[], not {values.dtype}{list(values.shape[1:]) or ''}")
    return intern(values)
