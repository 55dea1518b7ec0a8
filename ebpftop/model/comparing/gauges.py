"""Gauges in two spans: the value at the end of each, and the greatest value in each. Changes aren't judged."""

from __future__ import annotations

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.comparing.joined import Joined
from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.sides import OfPast
from ebpftop.model.past.block import How

_MOST = 1e300  # nothing measured is greater; sums of such values stay finite, and JSON can express them

# Which of a gauge, and what follows its name and its title.
_NUMBERS: tuple[tuple[How, str, str], ...] = (("last", "", ""), ("high", ".max", " max"))


def gauge_columns(view: ViewInfo) -> list[ColumnInfo]:
    """The gauges of a table that are amounts."""
    if view.show != "table":
        return []
    return [column for column in view.columns if column.role == "gauge" and not column.decode and not column.hidden]


def gauges(view: ViewInfo, rows: Joined, sides: tuple[OfPast, OfPast]) -> list[Number]:
    """Two numbers for each gauge, of all rows. If several rows have one key, the greatest counts.
    Texts are left out; infinite values are missing.
    """
    read = [(side.past.measured(side.wanted), side.only, place) for side, place in _places(rows, sides)]
    found = []
    for column in gauge_columns(view):
        for how, name, more in _NUMBERS:
            pairs: list[Pair] = []
            for (cells, known), only, place in read:
                values = np.full(rows.rows, np.nan)
                if (column.field, how) in cells:
                    counts = known if only is None else known & only
                    amounts = cells[column.field, how][counts].astype(np.float64)
                    np.fmax.at(values, place[counts], np.where(np.abs(amounts) <= _MOST, amounts, np.nan))
                pairs.append((values, values))
            if not all(np.isnan(lo).all() for lo, _ in pairs):
                title = f"{column.title}{more}"
                found.append(
                    Number(column.field + name, title, column.unit, False, pairs[0], pairs[1], None, gauge=True)
                )
    return found


def _places(rows: Joined, sides: tuple[OfPast, OfPast]) -> list[tuple[OfPast, Array]]:
    return [(sides[0], rows.before), (sides[1], rows.after)]
