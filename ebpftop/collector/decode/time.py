"""Times: the kernel's monotonic clock, bpf_ktime_get_ns(), as realtime."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.frames.messages import Column


def decode(values: npt.NDArray[Any]) -> Column:
    """A column of numbers: ns since 1970, according to the current clocks."""
    offset = np.uint64(time.time_ns() - time.monotonic_ns())
    return Column(dtype="<u8", data=(values.astype("<u8") + offset).tobytes())
