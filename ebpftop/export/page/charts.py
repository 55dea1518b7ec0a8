"""Pictures as inline SVG: rates over time, heatmaps, bars. They stretch to the page; text keeps its size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ebpftop.export.overview import Overview
from ebpftop.export.page.axes import Axis, round_up
from ebpftop.export.page.markup import Markup, tag
from ebpftop.stats import formatting
from ebpftop.stats.heatmap import level_of, leveled, row_starts, thresholds
from ebpftop.stats.histogram import Histogram
from ebpftop.stats.slots import SLOTS, lower

_WIDE = 1000  # units across a stretched picture
_LINE, _MAP = 90, 200  # pixels: heights
_FOOT = 18  # of the line of times
LEVELS = 8  # colours of a heatmap
_ROWS = 48  # of a heatmap, at most


class Line(NamedTuple):
    """One line of a chart: NaN for unknown values."""

    name: str
    look: str
    values: Sequence[float]


def lines(
    axis: Axis, starts: Sequence[int], ends: Sequence[int], drawn: Sequence[Line], unit: str, what: str
) -> Markup:
    """A step chart over time from 0 to the greatest value, with its scale. unit: for `formatting.rate`, or
    "percent".
    """
    finite = [value for line in drawn for value in line.values if math.isfinite(value)]
    scale_of = 1e7 if unit == "cpu_ns" else 1.0  # of one CPU, in percent
    top = round_up(max(finite, default=0.0) / scale_of) * scale_of
    paths = [_stepped(axis, starts, ends, line, top) for line in drawn]
    written = formatting.percent(top) if unit == "percent" else formatting.rate(top, unit)
    scale = [tag("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid") for y in (0.5, _LINE / 2, _LINE - 0.5)] + [
        _scale(written, 8),
        _scale("0", _LINE),
    ]
    return _figure(_LINE, [*scale, _stretched(_LINE, paths), *axis.marked(_LINE)], axis, what)


def _stepped(axis: Axis, starts: Sequence[int], ends: Sequence[int], line: Line, top: float) -> Markup:
    """The level in each column, with gaps for unknown values."""
    parts = []
    last: int | None = None
    for start, end, value in zip(starts, ends, line.values, strict=True):
        if not math.isfinite(value):
            last = None
            continue
        left, right = (_number(axis.x(int(at)) * _WIDE / 100) for at in (start, end))
        y = _number(_LINE - 1 - (_LINE - 2) * min(1.0, value / top))
        parts.append(f"{'L' if last == start else 'M'}{left} {y}H{right}")
        last = end
    return tag("path", d="".join(parts), class_=f"line {line.look}")


def heatmap(axis: Axis, columns: Overview, unit: str, what: str) -> tuple[Markup, list[tuple[int, float]]]:
    """Time × value, coloured by counts a second, with lines for p50 and p99; and the lowest rate of each colour."""
    whole = Histogram.sum(columns.histograms)
    if not whole.count:
        return tag("p", "No values."), []
    slots = row_starts(int(whole.slots[0]), int(whole.slots[-1]), _ROWS)
    edges = [lower(int(slot)) for slot in slots]
    rows = list(pairwise(edges))
    counts = np.zeros((SLOTS, len(columns)), np.int64)
    for at, histogram in enumerate(columns.histograms):
        counts[histogram.slots, at] = histogram.counts
    seconds = np.where(columns.seconds > 0, columns.seconds, np.nan)
    rates = np.nan_to_num(np.add.reduceat(counts[: slots[-1]], slots[:-1], axis=0) / seconds).T
    least = thresholds(rates, LEVELS)
    levels = leveled(rates, least, LEVELS)
    x = [axis.x(int(at)) * _WIDE / 100 for at in columns.starts]
    ends = [axis.x(int(at)) * _WIDE / 100 for at in columns.ends]
    paths = [_cells(levels == level, x, ends, len(rows), level) for level in range(1, LEVELS + 1)]
    drawn = [path for path in paths if path]
    marks = [_quantile(columns.histograms, q, rows, x, ends, look) for q, look in ((0.5, "p50"), (0.99, "p99"))]
    body = [_stretched(_MAP, drawn, len(rows)), _stretched(_MAP, marks, len(rows))]
    labels = []
    for row in sorted({0, len(rows) // 4, len(rows) // 2, 3 * len(rows) // 4, len(rows)}):
        y = min(_MAP, max(8.0, _MAP * (1 - row / len(rows)) + 4))
        labels.append(_scale(formatting.value(edges[row], unit), y))
    scale = [(level_of(n, len(least), LEVELS), rate) for n, rate in enumerate(least)]
    return _figure(_MAP, [*body, *axis.marked(_MAP), *labels], axis, what), scale


def _cells(wanted: np.ndarray, x: Sequence[float], ends: Sequence[float], rows: int, level: int) -> Markup | None:
    """Cells of one colour as one path; cells above each other in a column form one box."""
    parts = []
    for column, (left, right) in enumerate(zip(x, ends, strict=True)):
        mine = np.flatnonzero(np.diff(np.concatenate(([0], wanted[column].astype(np.int8), [0]))))
        for first, stop in zip(mine[::2].tolist(), mine[1::2].tolist(), strict=True):
            width = _number(max(right - left, 1))
            parts.append(f"M{_number(left)} {rows - stop}h{width}v{stop - first}h-{width}z")
    return tag("path", d="".join(parts), class_=f"h{level}") if parts else None


def _quantile(
    histograms: Sequence[Histogram],
    q: float,
    rows: Sequence[tuple[int, int]],
    x: Sequence[float],
    ends: Sequence[float],
    look: str,
) -> Markup:
    """A line through the middles of the rows that contain the quantile."""
    parts = []
    joined = False
    for histogram, left, right in zip(histograms, x, ends, strict=True):
        found = histogram.quantile(q)
        if found is None:
            joined = False
            continue
        row = next(at for at, (_, hi) in enumerate(rows) if found[0] < hi)
        parts.append(f"{'L' if joined else 'M'}{_number(left)} {_number(len(rows) - row - 0.5)}H{_number(right)}")
        joined = True
    return tag("path", d="".join(parts), class_=f"line {look}")


def overlaid(before: Sequence[float], after: Sequence[float], edges: Sequence[str], what: str) -> Markup:
    """Two overlaid histograms: the share of each column, A as a dashed line, B as an area. edges: the values at both
    sides of all columns.
    """
    top = max([*before, *after], default=0.0) or 1.0
    width = _WIDE / max(1, len(before))
    points = [[_number(_LINE - (_LINE - 2) * share / top) for share in each] for each in (before, after)]
    a, b = ("".join(f"V{y}H{_number((at + 1) * width)}" for at, y in enumerate(each)) for each in points)
    paths = [
        tag("path", d=f"M0 {_LINE}{b}V{_LINE}z", class_="area"),
        tag("path", d=f"M0 {_LINE}{a}V{_LINE}", class_="line before"),
    ]
    scale = [tag("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid") for y in (0.5, _LINE / 2, _LINE - 0.5)]
    scale += [_scale(formatting.percent(100 * top), 8), _scale("0", _LINE)]
    last = len(edges) - 1
    for at in sorted({last * part // 4 for part in range(5)}):
        anchor = "start" if not at else "end" if at == last else "middle"
        x = f"{100 * at / max(1, last):.4g}%"
        scale.append(tag("text", edges[at], x=x, y=_LINE + _FOOT - 4, text_anchor=anchor, class_="axis"))
    return _chart(_LINE, [*scale, _stretched(_LINE, paths)], what)


def bar(share: float) -> Markup:
    """A bar whose length is a share of its cell's width, 0 … 1."""
    box = tag("rect", width=f"{100 * share:.4g}%", height=10, class_="bar")
    return tag("svg", box, width="100%", height=10, aria_hidden="true")


def _figure(height: float, body: Iterable[Markup], axis: Axis, what: str) -> Markup:
    drawn = [*body, *axis.labels(height + _FOOT - 4)]
    return _chart(height, drawn, what, "chart spanned" if axis.spans else "chart")


def _chart(height: float, body: Iterable[Markup], what: str, look: str = "chart") -> Markup:
    return tag(
        "svg",
        body,
        width="100%",
        height=height + _FOOT,
        role="img",
        aria_label=what,
        class_=look,
    )


def _scale(written: str, y: float) -> Markup:
    """A label on the left margin."""
    return tag("text", written, x=-4, y=y, text_anchor="end", class_="axis")


def _stretched(height: float, body: Iterable[Markup], units: float | None = None) -> Markup:
    """A picture with `_WIDE` units across, and `units` down or as many as its height; strokes keep their width."""
    box = f"0 0 {_WIDE} {height if units is None else units:g}"
    return tag("svg", body, viewBox=box, preserveAspectRatio="none", width="100%", height=height)


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") or "0"
