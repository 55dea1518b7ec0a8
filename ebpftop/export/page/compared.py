"""The section of a page about two compared spans: A, before, and B, after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ebpftop.export.compared import Compared, Side
from ebpftop.export.page import tables
from ebpftop.export.page.axes import clock
from ebpftop.export.page.charts import overlaid
from ebpftop.export.page.flame import flame_compared
from ebpftop.export.page.markup import Markup, bare, tag
from ebpftop.export.page.tables import Cell, table
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.chosen import lacking, narrowing
from ebpftop.model.comparing import words
from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.sessions import RunComparison
from ebpftop.model.comparing.stacks import FunctionChange, StacksComparison
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.report_columns import key_columns
from ebpftop.model.selection import Selection
from ebpftop.stats import formatting
from ebpftop.stats.flame import LESS, MORE
from ebpftop.stats.histogram import Histogram

ROWS = 100  # of a table
BUCKETS = 48
TITLE = "A and B compared"
_LEGEND = (
    "Only changes that exceed the normal variation of the two spans count as changes; they come first. "
    f"{words.VARIES}: within normal variation. {words.UNKNOWN}: the spans are too short to tell. "
    "–: there was nothing to count."
)


def contents(compared: Compared) -> Markup:
    """The entry for the section in the contents, with its probes."""
    runs = enumerate(compared.comparison.runs)
    links = [tag("li", tag("a", bare(run.probe), href=f"#{_anchor(at)}")) for at, run in runs]
    return tag("li", tag("a", TITLE, href="#compared"), tag("ul", links) if links else None)


def section(compared: Compared) -> Markup:
    """The whole section."""
    found = compared.comparison
    said = [*found.differences, *(f"{probe}: only {'AB'[side]}" for probe, side in found.only)]
    if not found.runs:
        said.append("No probe ran in both.")
    return tag(
        "section",
        tag("h2", TITLE),
        _sides(compared.sides),
        _listed(said),
        tag("p", _LEGEND, class_="quiet"),
        (_run(run, at, compared.scope.selection) for at, run in enumerate(found.runs)),
        id="compared",
    )


def _anchor(at: int) -> str:
    return f"compared-{at}"


def _sides(sides: Sequence[Side]) -> Markup:
    rows = [
        [
            Cell(name),
            Cell(clock(side["from_ns"]), side["from_ns"]),
            Cell(clock(side["to_ns"]), side["to_ns"]),
            tables.number(side["to_ns"] - side["from_ns"], "ns"),
            *(Cell(str(side[fact])) for fact in ("tape", "host", "kernel")),
        ]
        for name, side in zip(("A, before", "B, after"), sides, strict=True)
    ]
    return table("The spans", "sides", ["", "from", "to", "length", "source", "host", "kernel"], rows)


def _listed(lines: Iterable[str]) -> Markup | None:
    items = [tag("li", bare(line)) for line in lines]
    return tag("ul", items) if items else None


def _run(run: RunComparison, at: int, selection: Selection) -> Markup:
    return tag(
        "section",
        tag("h3", bare(run.probe)),
        _listed(run.differences),
        (_view(view, selection) for view in run.views),
        (_stacks(stacks, selection) for stacks in run.stacks),
        id=_anchor(at),
        class_="run",
        data_compared=run.probe,
    )


# ---------------------------------------------------------------- a view


def _view(view: ViewComparison, selection: Selection) -> Markup:
    by = f" by {view.by.title}" if view.by else ""
    body = []
    if view.histograms is not None and not words.is_empty(view):
        whole = [[Cell(words.title(number)), *_cells(number, 0)] for number in view.whole]
        body.append(table(f"{view.view.title}: all values", "whole", ["", "A", "B", "change"], whole))
        body += _overlaid(view, *view.histograms)
    shown = view.order()
    own = int(np.count_nonzero(view.own[shown]))
    shown = shown[~view.own[shown]]
    if len(shown):
        body.append(_rows(view, shown.tolist(), own))
    elif view.histograms is None:
        body.append(tag("p", "Nothing was counted in either span."))
    return tag(
        "section",
        tag("h4", view.view.title, bare(by)),
        tag("p", _narrowed(view.view, selection), words.verdict(view), class_="span"),
        body,
        data_view=view.view.name,
        data_show=view.view.show,
    )


def _narrowed(view: ViewInfo, selection: Selection) -> Markup | None:
    """The selection in a view, shown before its numbers."""
    said = [each for each in (narrowing(selection, view), lacking(selection, view)) if each]
    return tag("strong", bare(" · ".join(said)), ". ") if said else None


def _overlaid(view: ViewComparison, before: Histogram, after: Histogram) -> list[Markup]:
    """The picture, in shares because spans differ in length, and its numbers."""
    rows = before.merge(after).rows(BUCKETS)
    if not rows:
        return []
    lows, unit, title = [lo for lo, _, _ in rows], view.view.unit, view.view.title
    a, b = words.shares(before, lows), words.shares(after, lows)
    edges = [formatting.value(edge, unit) for edge in (*lows, rows[-1][1])]
    what = f"{title}: histograms of A and B over each other, as shares of each"
    caption = "Share of all values of each span: A dashed line, B area"
    cells = [
        [
            Cell(formatting.bounds(lo, hi, unit), hi, lo),
            *(Cell(formatting.percent(100 * share), 100 * share) for share in (mine, other)),
            Cell(words.points(100 * (other - mine)), 100 * (other - mine)),
        ]
        for (lo, hi, _), mine, other in zip(rows, a, b, strict=True)
    ]
    numbers = table(f"{title}: histograms", "buckets", ["value", "A", "B", "B − A, points"], cells)
    return [
        tag("figure", tag("figcaption", caption), overlaid(a, b, edges, what), class_="over"),
        tag("details", tag("summary", "Numbers of the histograms"), numbers),
    ]


def _rows(view: ViewComparison, shown: list[int], own: int) -> Markup:
    labels = [label for label in key_columns(view.columns, view.keys, view.processes) if not (label.is_empty_place)]
    titles = [label.shown.title for label in labels]
    for number in view.numbers:
        titles += [f"{words.title(number)} {side}" for side in ("A", "B", "change")]
    rows = []
    for row in shown[:ROWS]:
        cells = [tables.value_cell(label.values[row]) for label in labels]
        rows.append([*cells, *(cell for number in view.numbers for cell in _cells(number, row))])
    left_out = [f"The first {ROWS} of {formatting.count(len(shown))} rows."] if len(shown) > ROWS else []
    if own:
        left_out.append(f"Without {formatting.plural(own, 'row')} of ebpftop's own processes.")
    if view.others > 0:
        left_out.append(f"{formatting.plural(view.others, 'more row')} increased by less than these.")
    return table(f"{view.view.title}: largest changes first", "rows", titles, rows, " ".join(left_out))


def _cells(number: Number, row: int) -> list[Cell]:
    """Before, after and change; the change's value is the difference."""
    sides = [_side(number, pair, row) for pair in (number.before, number.after)]
    written, value = words.change(number, row), float(number.change[row])
    nothing = written == formatting.count(None)
    shown = tag("strong", written) if number.changed[row] else written
    return [*sides, Cell("–") if nothing else Cell(shown, value)]


def _side(number: Number, pair: Pair, row: int) -> Cell:
    lo, hi = float(pair[0][row]), float(pair[1][row])
    if lo != lo:
        return Cell("–")
    written = words.text(number, pair, row)
    return Cell(written, lo) if number.rate or number.gauge else Cell(written, int(hi), int(lo))


# ---------------------------------------------------------------- call stacks


def _stacks(found: StacksComparison, selection: Selection) -> Markup:
    view, paths = found.view, found.paths
    unit = view.unit
    said = [f"A {formatting.value(paths.total_before, unit)}, B {formatting.value(paths.total, unit)}."]
    if any(found.own):
        own = " and ".join(formatting.value(each, unit) for each in found.own)
        said.append(f"Without ebpftop's own {own}.")
    caption = (
        f"Differential flame graph, outermost frame on top, as wide as in B. {MORE} and red: a greater share of B than "
        f"of A; {LESS} and blue: a smaller one. Frames only in A have no width here; the table lists them."
    )
    body: list[Markup] = []
    if paths.total:
        drawn = flame_compared(found)
        if drawn.least > 1:
            said.append(f"Frames below {formatting.value(drawn.least, unit)} are left out.")
        body.append(drawn.figure([caption], class_="flames"))
    functions = found.functions()
    if functions:
        body.append(_functions(view.title, functions))
    return tag(
        "section",
        tag("h4", view.title),
        tag("p", _narrowed(view, selection), " ".join(said), class_="span"),
        tag("div", body, data_before=paths.total_before, data_after=paths.total),
        data_view=view.name,
        data_show=view.show,
    )


def _functions(title: str, functions: Sequence[FunctionChange]) -> Markup:
    """The functions that grew most, and, if there are many, those that shrank most too."""
    half = ROWS // 2
    shown = functions if len(functions) <= ROWS else [*functions[:half], *functions[-half:]]
    rows = [
        [Cell(each.frame.label), Cell(each.frame.origin), *_shares(each.own), *_shares(each.total)] for each in shown
    ]
    titles = ["function", "module", *(f"{name} {side}" for name in ("own", "total") for side in ("A", "B", "change"))]
    more = len(functions) - len(shown)
    left_out = f"{formatting.count(more)} functions in between are left out." if more else ""
    return table(f"{title}: shares of functions, largest growth first", "functions", titles, rows, left_out)


def _shares(pair: tuple[float, float]) -> list[Cell]:
    before, after = pair
    change = Cell(words.points(after - before), after - before)
    return [*(Cell(formatting.percent(each), each) for each in pair), change]
