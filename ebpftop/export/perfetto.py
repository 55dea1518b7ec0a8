"""Traces for Perfetto (https://ui.perfetto.dev).

Each probe is a track, and contains its views' tracks. Histograms are counters: the number of values in an interval, and
percentiles (their upper bounds). Tables are counters: the gain of each counting column in an interval, a track a key
for the first keys, and one for all others, so that they add up to the table. Events are instants, or slices if they
have a duration. The single samples of a profile have their call stacks. For stacks without such samples, only the sum
of an interval is written: pprof's format has them in full. Marks are instants.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, TextIO

from ebpftop.base.inert import inert
from ebpftop.export.perfetto_packets import Packets, Place
from ebpftop.export.report import HistogramPart, Part, Report, RowsPart
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.telling import Telling
from ebpftop.frames.messages import Mark
from ebpftop.model.report_columns import ReportColumn
from ebpftop.stats.histogram import PERCENTILES

KEYS, LANES = 40, 16  # tracks of a counting column's keys; of a view's overlapping slices: the rest are instants
OTHERS = "(others)"
_TOOK = ("took", "waited", "gap")  # fields with the ns that an event took: it began earlier by these


class Perfetto(Telling):
    """Writes counters and events as intervals pass, and samples at the end."""

    def __init__(self, out: BinaryIO, err: TextIO) -> None:
        super().__init__(err)
        self._packets = Packets(out)
        self._sums: dict[Place, dict[str, int]] = {}  # the gains of the keys of a column that have a track
        self._lanes: dict[Place, list[int]] = {}  # the times until which a view's tracks of slices are occupied

    def report(self, report: Report) -> None:
        """Write an interval. A counter holds its value until the next one, so it is placed at the interval's
        beginning.
        """
        begin = report.time_ns - round(report.seconds * 1e9)
        for part in report.parts:
            self._part((report.probe, inert(part.view.title)), part, begin)
        self._packets.flush()

    def marked(self, mark: Mark) -> None:
        self._packets.instant(("marks",), mark.realtime_ns, inert(mark.text))
        super().marked(mark)

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        for part in report.parts:
            if isinstance(part, StacksPart) and part.samples is not None:
                self._packets.samples(part.samples())
        self._packets.flush()

    def _part(self, place: Place, part: Part, begin: int) -> None:
        if isinstance(part, HistogramPart):
            self._packets.count((*place, "count"), begin, part.whole.count)
            for name, q in PERCENTILES.items():
                bounds = part.whole.quantile(q)
                self._packets.count((*place, name), begin, bounds[1] if bounds else 0, part.view.unit)
        elif isinstance(part, StacksPart):
            self._packets.count((*place, "count"), begin, part.count, part.view.unit)
        elif part.kind == "table":
            self._table(place, part, begin)
        else:
            self._events(place, part)

    def _table(self, place: Place, part: RowsPart, begin: int) -> None:
        keys = [each.values for each in part.columns if each.shown.info.role == "key" and not each.shown.is_detail]
        labels = [_label(row) for row in zip(*keys, strict=True)] if keys else [""] * part.count
        for column in part.columns:
            if column.shown.info.role != "counter":
                continue
            within = (*place, inert(column.shown.title))
            sums = self._sums.setdefault(within, {})
            sums.update(dict.fromkeys(sums, 0))  # an absent key gained nothing
            for label, value in zip(labels, column.values, strict=True):
                known = label if label in sums or len(sums) < KEYS else OTHERS
                sums[known] = sums.get(known, 0) + int(value)
            for label, value in sums.items():
                self._packets.count((*within, label), begin, value, column.shown.unit)

    def _events(self, place: Place, part: RowsPart) -> None:
        times = next((column.values for column in part.columns if column.shown.is_time), [])
        took = next((column.values for column in part.columns if column.shown.info.field in _TOOK), [0] * len(times))
        told = [column for column in part.columns if not column.shown.is_time]
        named = [column for column in told if not column.shown.is_detail]
        for row, (time, lasted) in enumerate(zip(times, took, strict=True)):
            name = _label(_first(named, row))
            values = [(inert(column.shown.name), column.values[row]) for column in told]
            lane = self._lane(place, time - lasted, time) if lasted and lasted > 0 else None
            if lane is None:
                self._packets.instant(place, time, name, values)
            else:
                self._packets.slice((*place, f"lane {lane + 1}"), time - lasted, time, name, values)

    def _lane(self, place: Place, begin: int, end: int) -> int | None:
        """A track of the view that is free in that time."""
        lanes = self._lanes.setdefault(place, [])
        for lane, until in enumerate(lanes):
            if until <= begin:
                lanes[lane] = end
                return lane
        if len(lanes) == LANES:
            return None
        lanes.append(end)
        return len(lanes) - 1


def _label(values: Iterable[Any]) -> str:
    return inert(" ".join(str(value) for value in values if value not in (None, ""))) or "(none)"


def _first(columns: list[ReportColumn], row: int) -> list[Any]:
    """The name of an event: its first two distinct texts, a process's name and its action."""
    values = (column.values[row] for column in columns if column.shown.part != "pid")
    return list(dict.fromkeys(value for value in values if value not in (None, "")))[:2]
