"""Comma-separated values: one table per view, with a header.

A spreadsheet interprets a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return as a formula, and
anybody who runs a process can choose such a text. These texts get a `'` in front, which marks a text; a cell with a
quote, comma or newline is quoted. OWASP advises both ("CSV Injection"). Numbers are unchanged, negative ones too. `raw`
leaves texts unchanged, for programs.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from ebpftop.base.inert import inert
from ebpftop.export.folded import folded
from ebpftop.export.report import HistogramPart, Part, Report, Series
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.telling import Telling
from ebpftop.stats.slots import bounds

_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)  # the last four are full-width

_FIRST = ("time", "probe", "view")  # of every row
_ENDS = re.compile('[,;"]')  # of a cell, depending on the country


class Csv(Telling):
    """Writes reports. If a probe has several views, each interval repeats their headers, each after an empty line.

    If the rows cover something other than an interval, a line that begins with `#` before the header says what they
    cover. Such a line also reports hosts that stop sending, and their return. Every row begins with time (UTC), probe
    and view. Histograms have one row per bucket: labels, lo, hi, count; stacks have one row per stack: labels, the
    folded stack, count. A column of the probe that has one of these names gets the map's name in front: `events_time`.
    """

    def __init__(self, out: TextIO, err: TextIO, *, raw: bool = False) -> None:
        super().__init__(err)
        self._out = out
        self._cell = _plain if raw else _cell
        self._writer = csv.writer(out, lineterminator="\n")
        self._header: list[str] | None = None
        self._gaps: list[str] = []  # last reported

    def report(self, report: Report) -> None:
        time = datetime.fromtimestamp(report.time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
        self._tell_gaps(report)
        for part in report.parts:
            header, rows = _rows(part)
            self._begin(header, _said(report.probe, part) if part.shown else "")
            for row in rows:
                self._writer.writerow([time, *map(self._cell, (report.probe, part.view.name, *row))])
        self._out.flush()

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Writes nothing: the rows add up to the summary."""

    def _tell_gaps(self, report: Report) -> None:
        """Write a line when the set of silent hosts changes; a header follows it."""
        gaps = [str(gap) for gap in report.gaps]
        if gaps != self._gaps:
            self._gaps = gaps
            if self._header is not None:
                self._out.write("\n")
            self._out.write(f"# {_one_cell(' · '.join(gaps) or 'data from all hosts again')}\n")
            self._header = None

    def _begin(self, header: list[str], said: str) -> None:
        if header == self._header and not said:
            return
        if self._header is not None:
            self._out.write("\n")
        self._header = header
        if said:
            self._out.write(f"# {said}\n")
        self._writer.writerow(map(self._cell, header))


def _said(probe: str, part: Part) -> str:
    """The description of a part as one cell, without any character that a spreadsheet takes for the end of one."""
    return _one_cell(f"{inert(probe)} {inert(part.view.name)} · {part.shown.line if part.shown else ''}")


def _one_cell(line: str) -> str:
    return _ENDS.sub(lambda found: f"\\x{ord(found[0]):02x}", line)


def _rows(part: Part) -> tuple[list[str], list[tuple[Any, ...]]]:
    if isinstance(part, StacksPart):
        stacks = [(*labels, folded(frames), count) for labels, frames, count in part.merged(part.labels())]
        return _header(part, [column.shown.name for column in part.columns], "stack", "count"), stacks
    if not isinstance(part, HistogramPart):
        names = [column.shown.name for column in part.columns]
        return _header(part, names), list(zip(*(column.values for column in part.columns), strict=True))
    rows = [
        (*series.labels.values(), *bounds(slot), count) for series in part.series for slot, count in _buckets(series)
    ]
    return _header(part, part.labels, "lo", "hi", "count"), rows


def _header(part: Part, names: Iterable[str], *last: str) -> list[str]:
    own = (*_FIRST, *last)
    return [*_FIRST, *(f"{part.view.map}_{name}" if name in own else name for name in names), *last]


def _buckets(series: Series) -> list[tuple[int, int]]:
    histogram = series.histogram()
    return list(zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True))


def _plain(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else value


def _cell(value: Any) -> Any:
    """A value that is harmless in a spreadsheet; a formula may begin after spaces."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{inert(value)}"
    return _plain(value)
