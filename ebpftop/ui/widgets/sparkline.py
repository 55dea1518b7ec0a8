"""The recent past of a number in a few cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int, top: float | None = None) -> str:
    """The last `width` values as eighth blocks from 0 to `top` (the largest value by default), padded on the left.

    An unknown value (NaN) is a gap; anything above zero is visible.
    """
    recent = list(values)[-width:]
    known = [value for value in recent if not math.isnan(value)]
    highest = top if top is not None else max(known, default=0.0)
    return "".join(_block(value, highest) for value in recent).rjust(width)


def _block(value: float, top: float) -> str:
    if math.isnan(value):
        return " "
    if top <= 0:
        return LEVELS[0]
    return LEVELS[min(len(LEVELS) - 1, max(0, math.ceil(value / top * len(LEVELS)) - 1))]
