"""C text in a char array: up to its NUL, as what follows is whatever lay in memory before."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.frames.columns import intern
from ebpftop.frames.messages import Column


def decode(values: npt.NDArray[Any]) -> Column:
    """A dictionary column of texts; bytes that aren't UTF-8 become visible escapes. Raises ValueError for numbers."""
    if values.dtype.kind != "S" or values.ndim != 1:
        raise ValueError(f"text is char[], not {values.dtype}{list(values.shape[1:]) or ''}")
    chars = np.ascontiguousarray(values).view("u1").reshape(len(values), values.dtype.itemsize)
    inside = np.logical_and.accumulate(chars != 0, axis=1)
    return intern((chars * inside).view(values.dtype).ravel())
