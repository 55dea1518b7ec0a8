"""A probe's numbers as text: compact histograms and tables, and a summary at the end."""

from __future__ import annotations

from datetime import datetime
from textwrap import fill
from typing import Any, TextIO

import numpy as np

from ebpftop.base.inert import inert
from ebpftop.base.look import look_of
from ebpftop.export import layout
from ebpftop.export.folded import folded
from ebpftop.export.mark_line import mark_line
from ebpftop.export.report import HistogramPart, Part, Report, RowsPart
from ebpftop.export.stack_report import StacksPart
from ebpftop.frames.messages import Losses, Mark
from ebpftop.model import failure_text
from ebpftop.model.failure import Failure
from ebpftop.model.report_columns import ReportColumn
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES, Histogram

_BUCKETS = 16  # lines of a histogram
_ROWS = 12  # lines of a table
_STACKS = 5  # whole stacks
_NO_TERMINAL = 80  # cells of a histogram's line in a pipe or file


class TextReport:
    """Writes reports as wide as the terminal, to a pipe or file with every column; a failed load goes to `err`."""

    def __init__(self, out: TextIO, err: TextIO, width: int | None = None) -> None:
        self._out, self._err = out, err
        self._width = width or layout.terminal_width(out)  # None: as wide as it needs
        self._bars = layout.bars_for(out)
        self._blank = True  # whether the previous line is empty, or there is none
        self._losses = Losses()  # last written
        self._explained: set[str] = set()  # gaps in call stacks, each once
        self._places: dict[str, set[str]] = {}  # by event view, the columns for places in which a process has run
        self._events: dict[str, list[int]] = {}  # widths of the columns of event views, once their header is written

    def report(self, report: Report) -> None:
        """Write the report of one interval. Events follow each other without headings, unless more was lost.

        For a run that is being detached, only events are written: the summary with the numbers follows.
        """
        if not report.seconds and not any(_gained(part) for part in report.parts):
            return  # just attached
        streams = [part for part in report.parts if isinstance(part, RowsPart) and part.kind == "events"]
        numbers = [part for part in report.parts if part not in streams and not report.final]
        if numbers or report.losses != self._losses:
            self._losses = report.losses
            time = datetime.fromtimestamp(report.time_ns / 1e9).strftime("%H:%M:%S")
            self._heading(f"{time}  {report.probe}", report)
        for part in numbers:
            self._part(part)
        for stream in streams:
            self._stream(stream)
        self._out.flush()

    def marked(self, mark: Mark) -> None:
        self._write(mark_line(mark))
        self._out.flush()

    def failed(self, failure: Failure) -> None:
        """Write the whole failure, with the log, on `err`."""
        look = look_of(self._err)
        title = f"ebpftop: {failure.headline}"
        self._err.write(failure_text.as_text(failure, look, title=title, log=True) + "\n")

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Write the whole run; for events (view → number) only their count."""
        self._write()
        self._heading(f"{report.probe} in {formatting.duration(report.seconds * 1e9)}", report)
        for part in report.parts:
            if isinstance(part, RowsPart) and part.kind == "events":
                self._title(part, formatting.plural(events.get(part.view.name, 0), "event"))
            else:
                self._part(part)
        if report.cost and report.cost.ns_per_event is not None:
            each = formatting.duration(report.cost.ns_per_event)
            how = " (estimated: busy programs are timed for a tenth of the time)" if report.cost.estimated else ""
            self._write(f"program time {formatting.duration(report.cost.run_time_ns)}, {each} per run{how}")
            if report.cost.attachment_ns:
                total, one = report.cost.attachment_ns, report.cost.attachment_ns / report.cost.run_count
                self._write(
                    f"attachment time {formatting.duration(total)}, {formatting.duration(one)} per run (estimated)"
                )
        for ring in report.rings:
            self._write(f"ring buffer {formatting.ring(ring.size, ring.most)}")
        self._out.flush()

    def _write(self, line: str = "") -> None:
        """Write a line, broken between words where the terminal ends; rows are cut to fit before."""
        if line or not self._blank:
            if self._width and layout.cells(line) > self._width:
                line = fill(line, self._width, subsequent_indent="  ", break_on_hyphens=False)
            self._out.write(line.rstrip() + "\n")
        self._blank = not line

    def _heading(self, what: str, report: Report) -> None:
        facts = [what, report.variant, report.meaning, *_losses(report.losses)]
        if report.cost and report.cost.cpu_percent is not None:
            facts.append(f"cost {formatting.percent(report.cost.cpu_percent)} of a cpu")
        self._write(" · ".join(inert(fact) for fact in facts if fact))
        for gap in report.gaps:
            self._write(str(gap))

    def _title(self, part: Part, what: str) -> None:
        self._write(f"{inert(part.view.title)}: {what}")
        if part.shown is not None:
            self._write(part.shown.line)

    def _part(self, part: Part) -> None:
        if isinstance(part, HistogramPart):
            self._histogram(part)
        elif isinstance(part, StacksPart):
            self._stacks(part)
        else:
            self._table(part)
        self._write()

    def _histogram(self, part: HistogramPart) -> None:
        unit, whole = part.view.unit, part.whole
        self._title(part, f"{formatting.plural(whole.count, 'value')}{_quantiles(whole, unit)}")
        rows = whole.rows(_BUCKETS)
        labels = [formatting.bounds(lo, hi, unit) for lo, hi, _ in rows]
        counts = [formatting.count(count) for _, _, count in rows]
        most = max((count for _, _, count in rows), default=0)
        left, middle = (max(map(layout.cells, texts), default=0) for texts in (labels, counts))
        room = max(1, (self._width or _NO_TERMINAL) - left - middle - 4)
        for (_, _, number), label, count in zip(rows, labels, counts, strict=True):
            bar = layout.bar(number / most * room, self._bars)
            self._write(f"{layout.right(label, left)}  {layout.right(count, middle)}  {bar}")
        if part.told and part.series:
            self._keys(part)

    def _keys(self, part: HistogramPart) -> None:
        listed = [each for each in part.series if not each.own]
        shown = listed[:_ROWS]
        columns = [
            layout.Column(name, [_cell(each.labels[name], "") for each in shown], name in ("pid", "nspid"))
            for name in part.told
        ]
        columns.append(layout.Column("count", [formatting.count(each.count) for each in shown], True))
        for name in PERCENTILES:
            found = [formatting.bounds(*each.quantiles[name], part.view.unit) for each in shown]
            columns.append(layout.Column(name, found, True))
        self._grid(columns, len(listed))
        own = sum(each.count for each in part.series if each.own)
        if own:
            self._write(f"without ebpftop's own {formatting.count(own)}")

    def _table(self, part: RowsPart) -> None:
        rows = np.flatnonzero(~part.own).tolist() if part.own.any() else range(part.count)
        self._title(part, formatting.plural(len(rows), "row"))
        if rows:
            columns = [column for column in part.columns if not (column.shown.info.hidden or column.is_empty_place)]
            columns.sort(key=lambda column: column.shown.is_detail)
            picked = [column._replace(values=[column.values[row] for row in rows[:_ROWS]]) for column in columns]
            self._grid([_column(column, None) for column in picked], len(rows))
        if len(rows) < part.count:
            self._write(f"without ebpftop's own {_own(part)}")

    def _stacks(self, part: StacksPart) -> None:
        """The functions with the largest values, and the largest stacks, cut at the outer end."""
        everybody, part = part.count, part.others()
        whole, unit = part.count, part.view.unit
        merged = part.merged(part.labels())
        held = formatting.plural(len(merged), "stack")
        self._title(part, f"{formatting.value(whole, unit)} in {held}")
        if whole < everybody:
            self._write(f"without ebpftop's own {formatting.value(everybody - whole, unit)}")
        if not whole:
            return
        top = part.top()
        columns = [
            layout.Column("own", [formatting.value(each.own, unit) for each in top[:_ROWS]], True),
            layout.Column("%", [formatting.percent(100 * each.own / whole) for each in top[:_ROWS]], True),
            layout.Column("total", [formatting.value(each.total, unit) for each in top[:_ROWS]], True),
            layout.Column("%", [formatting.percent(100 * each.total / whole) for each in top[:_ROWS]], True),
            layout.Column("side", [each.frame.side for each in top[:_ROWS]], False),
            layout.Column("function", [inert(each.frame.label) for each in top[:_ROWS]], False),
            layout.Column("module", [inert(each.frame.module) for each in top[:_ROWS]], False),
        ]
        self._grid(columns, len(top))
        for labels, frames, count in merged[:_STACKS]:
            whose = " ".join(_cell(value, "") for value in labels)
            share = f"{formatting.value(count, unit)} ({formatting.percent(100 * count / whole)})"
            self._write("  ".join(filter(None, (share, whose))))
            stack = folded(frames)
            self._write("  " + (layout.cut_left(stack, self._width - 2) if self._width else stack))
        if len(merged) > _STACKS:
            self._write(f"… and {formatting.plural(len(merged) - _STACKS, 'more stack')}")
        for gap, told in part.gaps():
            if gap not in self._explained:
                self._explained.add(gap)
                self._write(f"{inert(gap)} {told}")

    def _grid(self, columns: list[layout.Column], count: int) -> None:
        for line in layout.grid(columns, self._width):
            self._write(line)
        if count > _ROWS:
            self._write(f"… and {formatting.count(count - _ROWS)} more")

    def _stream(self, part: RowsPart) -> None:
        """Events in columns that never get narrower."""
        if not part.count:
            return
        told = self._places.setdefault(part.view.name, set())
        new = {each.shown.id for each in part.columns if each.shown.is_place and any(each.values)} - told
        told |= new
        picked = [each for each in part.columns if not each.shown.info.hidden]
        picked = [each for each in picked if not each.shown.is_detail] + [
            each for each in picked if each.shown.id in told
        ]
        columns = [_column(each, None) for each in picked]
        known = None if new else self._events.get(part.view.name)  # a new column needs a new header
        widths = layout.widths(columns, known)
        self._events[part.view.name] = widths
        grid = layout.grid(columns, self._width, widths)
        for line in grid if known is None else grid[1:]:
            self._write(line)


def _own(part: RowsPart) -> str:
    """The sum of ebpftop's own rows in the counter that orders the rows, else their number."""
    rows = np.flatnonzero(part.own).tolist()
    by = part.view.sort or next(iter(part.view.counters), None)
    found = next((each for each in part.columns if each.shown.id == by and by in part.view.counters), None)
    if found is None:
        return formatting.plural(len(rows), "row")
    return formatting.value(sum(found.values[row] for row in rows), found.shown.unit)


def _gained(part: Part) -> int:
    return part.whole.count if isinstance(part, HistogramPart) else part.count


def _column(column: ReportColumn, rows: int | None) -> layout.Column:
    shown, values = column.shown, column.values[:rows]
    if shown.is_time:
        return layout.Column(inert(shown.title), formatting.clocks(values), False)
    written = {value: "" if value is None and shown.is_place else _cell(value, shown.unit) for value in {*values}}
    numbers = all(value is None or isinstance(value, int | float) for value in written)
    return layout.Column(inert(shown.title), [written[value] for value in values], numbers)


def _cell(value: Any, unit: str) -> str:
    """Numbers without a unit are identifiers, written in full; quantities are rounded."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return inert(value)
    return formatting.value(value, unit) if unit else str(value)


def _quantiles(histogram: Histogram, unit: str) -> str:
    found = {name: histogram.quantile(q) for name, q in PERCENTILES.items()}
    return "".join(f" · {name} {formatting.bounds(*bounds, unit)}" for name, bounds in found.items() if bounds)


def _losses(losses: Losses) -> list[str]:
    """What is missing from the numbers: always `lost`, the others if they aren't 0."""
    words = {"lost": losses.lost, "map full": losses.map_full, "evicted": losses.evicted, "missed": losses.missed}
    return [f"{what} {formatting.count(count)}" for what, count in words.items() if count or what == "lost"]
