"""The numbers of a comparison as text: before, after, the change, and whether it is significant."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ebpftop.base.inert import inert
from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Histogram
from ebpftop.stats.slots import bounds

NEITHER = "nothing was counted in either span"
VARIES, UNKNOWN = "~", "?"  # before a change that is within what varies anyway; before one of which nobody can tell


def verdict(view: ViewComparison) -> str:
    """The changes in words, among the rows that rankings list."""
    listed = ~view.own
    judged = [number for number in view.numbers if not number.gauge]
    if not judged:
        return "gauges, for which changes are not judged"
    changed = np.any([number.changed[listed] for number in judged], axis=0)
    rows = int(np.count_nonzero(changed))
    parts = []
    if is_empty(view):
        return NEITHER
    if view.whole:
        names = [title(number) for number in view.whole if number.changed[0]]
        parts.append(_found(view.whole, ", ".join(names)))
    if len(view):
        parts.append(_found(judged, formatting.plural(rows, "row") if rows else "", "rows " if parts else ""))
    if len(parts) == 2 and parts[1].endswith(parts[0]):  # both the same
        parts.pop()
    return "; ".join(parts)


def is_empty(view: ViewComparison) -> bool:
    """Whether a histogram is empty in both spans."""
    return view.histograms is not None and not any(each.count for each in view.histograms)


def _found(numbers: Sequence[Number], changed: str, what: str = "") -> str:
    if any(number.chance is None for number in numbers):
        return f"{what}too short to tell"
    return f"{changed} changed" if changed else f"{what}within normal variation"


def title(number: Number) -> str:
    """The title of a number; a histogram's rate is `values/s`, whatever its map calls its count."""
    if number.gauge:
        return inert(number.title)
    return f"{inert(number.title)}/s" if number.rate else number.name


def text(number: Number, pair: Pair, row: int) -> str:
    """One side of a number."""
    lo, hi = float(pair[0][row]), float(pair[1][row])
    if math.isnan(lo):
        return formatting.count(None)
    if number.gauge:
        return formatting.value(lo, number.unit)
    return formatting.rate(lo, number.unit) if number.rate else formatting.bounds(int(lo), int(hi), number.unit)


def change(number: Number, row: int) -> str:
    """The factor of a change: after `~` if it is within normal variation, after `?` if that can't be decided, and alone
    for a gauge.
    """
    before, after = (float(pair[0][row] + pair[1][row]) / 2 for pair in (number.before, number.after))
    if not number.differs[row]:
        return "="
    if number.gauge and not (before > 0 and after > 0):
        return _difference(number, before, after)
    if not number.rate and not number.gauge and (math.isnan(before) or math.isnan(after)):
        return formatting.count(None)  # a percentile of nothing can't be compared
    if math.isnan(before) or math.isnan(after) or not before or not after:
        factor = "new" if math.isnan(before) or (not before and not math.isnan(after)) else "gone"
    else:
        factor = f"×{formatting.count(after / before)}"
    mark = (
        "" if number.gauge else f"{UNKNOWN} " if number.chance is None else "" if number.changed[row] else f"{VARIES} "
    )
    return mark + factor


def _difference(number: Number, before: float, after: float) -> str:
    """The difference, for a value that is unknown, zero or negative on a side."""
    if math.isnan(before) or math.isnan(after):
        return "new" if math.isnan(before) else "gone"
    return f"{'+' if after > before else '−'}{formatting.value(abs(after - before), number.unit)}"


def points(change: float) -> str:
    """A change of a share in percentage points: `+3.1`, `−0.4`, `=`."""
    rounded = round(change, 1)
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}" if rounded else "="


def shares(histogram: Histogram, edges: Sequence[int]) -> list[float]:
    """The shares of all values between each edge and the next."""
    lows = np.array([bounds(slot)[0] for slot in histogram.slots.tolist()], np.float64)
    place = np.searchsorted(np.array(edges, np.float64), lows, "right") - 1
    found: list[float] = (np.bincount(place, histogram.counts, len(edges)) / max(1, histogram.count)).tolist()
    return found
