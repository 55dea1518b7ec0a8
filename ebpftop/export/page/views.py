"""The sections of a page about the views of a run: pictures and tables of a span's data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ebpftop.export.folded import folded
from ebpftop.export.overview import Overview, counted
from ebpftop.export.page import tables
from ebpftop.export.page.axes import Axis
from ebpftop.export.page.charts import Line, heatmap, lines
from ebpftop.export.page.flame import flame
from ebpftop.export.page.markup import Markup, joined, tag, text
from ebpftop.export.page.tables import Cell, table
from ebpftop.export.report import HistogramPart, RowsPart
from ebpftop.export.spans import SpanPart
from ebpftop.export.stack_report import StacksPart
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES, Histogram
from ebpftop.stats.slots import LIMIT

ROWS = 100  # of a table
EVENTS = 300
STACKS = 40
BUCKETS = 32
_QUANTILES = {**PERCENTILES, "max": 1.0}


def view(part: SpanPart, over: Overview | None, axis: Axis) -> Markup:
    """One view: its title and span, its numbers over time, and its contents."""
    info = part.part.view
    drawn = []
    if over is not None and len(over) > 1:
        alone = Axis(int(over.starts[0]), int(over.ends[-1]), axis.ahead) if over.alone else axis
        drawn = over_time(part, over, alone)
    body = _body(part)
    return tag(
        "section", tag("h3", info.title), _covered(part, axis), drawn, body, data_view=info.name, data_show=info.show
    )


def _covered(part: SpanPart, axis: Axis) -> Markup:
    if part.span is None:
        return tag("p", "No sample.", class_="span")
    begin, end = axis.clock(part.span.start), axis.clock(part.span.end)
    rows = part.part.shown.rows if part.part.shown else ()
    said = [*rows, f"{begin} – {end}", f"{formatting.duration(part.seconds * 1e9)} observed"]
    return tag("p", " · ".join(said), class_="span", data_seconds=repr(part.seconds), data_rows=" · ".join(rows))


# ---------------------------------------------------------------- over time


def over_time(part: SpanPart, over: Overview, axis: Axis) -> list[Markup]:
    """The rate, or for histograms the heatmap, and the numbers of both."""
    info = part.part.view
    what, unit = _counted(part)
    rates = over.rates().tolist()
    starts, ends = over.starts.tolist(), over.ends.tolist()
    drawn = lines(axis, starts, ends, [Line(what, "rate", rates)], unit, f"{info.title}: {what} per second over time")
    shown = [tag("figure", tag("figcaption", f"{what} per second"), drawn)]
    titles = ["from", "to", what, "per second"]
    if over.histograms:
        titles += list(_QUANTILES)
        picture, scale = heatmap(axis, over, info.unit, f"{info.title}: heatmap, values over time, with p50 and p99")
        legend = _legend(scale)
        shown.append(tag("figure", tag("figcaption", legend), picture, class_="heat"))
    rows = []
    for at, (start, end, count, rate) in enumerate(zip(starts, ends, over.counts.tolist(), rates, strict=True)):
        row = [Cell(axis.clock(start), start + axis.ahead), Cell(axis.clock(end), end + axis.ahead)]
        row += [tables.number(count, unit), tables.rate(None if rate != rate else rate, unit)]
        if over.histograms:
            row += _percentiles(over.histograms[at], info.unit)
        rows.append(row)
    left_out = f"{over.steps} samples in {len(over)} rows." if over.steps > len(over) else ""
    numbers = table(f"{info.title} over time", "time", titles, rows, left_out)
    shown.append(tag("details", tag("summary", "Numbers over time"), numbers))
    return shown


def _counted(part: SpanPart) -> tuple[str, str]:
    """What a view counts, and its unit."""
    info = part.part.view
    if info.show == "events":
        return "events", ""
    if info.show == "histogram":
        return "values", ""
    if info.show == "stacks":
        return ("samples" if info.unit in ("", "count") else "value"), info.unit
    column = next(each for each in info.columns if each.field == counted(info))
    return column.title, column.unit


def _legend(scale: Sequence[tuple[int, float]]) -> Markup:
    """The meaning of the colours and lines."""
    keys = [tag("span", _sample(level), f" {formatting.count(least)}", class_="key") for level, least in scale]
    return joined("heatmap: values per second in each cell, from ", keys, " · lines: p50 whole, p99 dashed")


def _sample(level: int) -> Markup:
    box = tag("rect", width=12, height=12, class_=f"h{level}")
    return tag("svg", box, width=12, height=12, aria_hidden="true")


def _percentiles(histogram: Histogram, unit: str) -> list[Cell]:
    return [tables.percentile(histogram.quantile(q), unit) for q in _QUANTILES.values()]


# ---------------------------------------------------------------- contents


def _body(part: SpanPart) -> list[Markup]:
    match part.part:
        case HistogramPart():
            return _histogram(part.part, part.seconds)
        case StacksPart():
            return _stacks(part.part)
        case RowsPart(kind="events"):
            return [_events(part.part, part)]
        case RowsPart():
            return [_rows(part.part, part.seconds)]


def _histogram(part: HistogramPart, seconds: float) -> list[Markup]:
    whole, unit = part.whole, part.view.unit
    if not whole.count:
        return [tag("p", "No values.")]
    summary = [Cell("all"), *_counts(whole.count, seconds), *_percentiles(whole, unit)]
    listed = [each for each in part.series if not each.own]
    rows = []
    for each in listed[:ROWS] if part.told else []:
        cells = [tables.value_cell(each.labels[name]) for name in part.told]
        rows.append([*cells, *_counts(each.count, seconds), *_percentiles(each.histogram(), unit)])
    named = part.told or [""]
    first = [Cell("all")] + [Cell("")] * (len(named) - 1)
    titles = [*named, "values", "per second", *_QUANTILES]
    own = sum(each.count for each in part.series if each.own)
    keys = table(part.view.title, "keys", titles, [[*first, *summary[1:]], *rows], _left_out(len(listed), ROWS, own))
    return [keys, _buckets(whole, part.view.title, unit)]


def _counts(count: int, seconds: float) -> list[Cell]:
    return [tables.number(count), tables.rate(count / seconds if seconds > 0 else None)]


def _buckets(whole: Histogram, title: str, unit: str) -> Markup:
    rows = whole.rows(BUCKETS)
    most = max(count for *_, count in rows)
    cells = [
        [
            Cell(formatting.bounds(lo, hi, unit), min(hi, LIMIT), lo),
            tables.number(count),
            tables.share(count, whole.count),
            tables.barred(count / most),
        ]
        for lo, hi, count in rows
    ]
    return table(f"{title}: histogram", "histogram", ["value", "values", "share", ""], cells)


def _rows(part: RowsPart, seconds: float) -> Markup:
    picked = np.flatnonzero(~part.own).tolist() if part.own.any() else list(range(part.count))
    rows = picked[:ROWS]
    columns = [column for column in part.columns if not (column.shown.info.hidden or column.is_empty_place)]
    columns.sort(key=lambda column: column.shown.is_detail)
    titles: list[str] = []
    cells: list[list[Cell]] = []
    for column in columns:
        titles.append(column.shown.title)
        cells.append(tables.column_cells(column, rows))
        if column.shown.info.role == "counter":
            titles.append("per second")
            values = [column.values[row] for row in rows]
            per = [value / seconds if seconds > 0 else None for value in values]
            cells.append([tables.rate(value, column.shown.unit) for value in per])
    own = part.count - len(picked)
    left_out = _left_out(len(picked), ROWS, 0)
    if own:
        left_out += f" Without {formatting.plural(own, 'row')} of ebpftop's own processes."
    return table(part.view.title, "rows", titles, list(zip(*cells, strict=True)), left_out.strip())


def _events(part: RowsPart, of: SpanPart) -> Markup:
    total = of.events
    rows = list(range(max(0, part.count - EVENTS), part.count))
    columns = [column for column in part.columns if not (column.shown.info.hidden or column.is_empty_place)]
    columns.sort(key=lambda column: column.shown.is_detail)
    cells = [tables.column_cells(column, rows) for column in columns]
    titles = [column.shown.title for column in columns]
    count = tag("p", formatting.plural(total, "event"), ".", data_events=total)
    left_out = (
        f"The last {formatting.count(len(rows))} of {formatting.plural(total, 'event')}." if total > len(rows) else ""
    )
    return joined(count, table(part.view.title, "events", titles, list(zip(*cells, strict=True)), left_out))


def _stacks(part: StacksPart) -> list[Markup]:
    everybody = part.count
    part = part.others()
    if not part.count:
        return [tag("p", "No samples.")]
    unit = part.view.unit
    drawn = flame(part)
    own = everybody - part.count
    said = [f"{formatting.value(part.count, unit)} in all."]
    if drawn.least > 1:
        said.append(f"Frames below {formatting.value(drawn.least, unit)} are left out.")
    if own:
        said.append(f"Without ebpftop's own {formatting.value(own, unit)}.")
    picture = drawn.figure(["Flame graph, outermost frame on top. ", " ".join(said)])
    top = part.top()
    functions = [
        [
            Cell(each.frame.label), Cell(each.frame.origin), Cell(each.frame.side),
            tables.number(each.own, unit), tables.share(each.own, part.count),
            tables.number(each.total, unit), tables.share(each.total, part.count),
        ]
        for each in top[:ROWS]
    ]  # fmt: skip
    merged = part.merged(part.heads())
    stacks = [
        [Cell(head), tables.number(count, unit), tables.share(count, part.count), Cell(_breakable(folded(frames)))]
        for head, frames, count in merged[:STACKS]
    ]
    function_titles = ["function", "module", "side", "own", "own share", "total", "total share"]
    title = part.view.title
    return [
        tag("div", picture, data_total=part.count),
        *(tag("p", tag("b", gap), f" {told}", class_="quiet") for gap, told in part.gaps()),
        table(f"{title}: functions", "functions", function_titles, functions, _left_out(len(top), ROWS, 0)),
        table(
            f"{title}: stacks",
            "stacks",
            ["whose", "value", "share", "stack"],
            stacks,
            _left_out(len(merged), STACKS, 0),
        ),
    ]


def _breakable(stack: str) -> Markup:
    """A folded stack that may be wrapped after each frame."""
    return tag("bdi", Markup(text(stack).replace(";", ";<wbr>")))


def _left_out(count: int, limit: int, own: int) -> str:
    """The rows that a table of the largest omits."""
    said = [f"The first {limit} of {formatting.count(count)} rows."] if count > limit else []
    if own:
        said.append(f"Without ebpftop's own {formatting.count(own)}.")
    return " ".join(said)
