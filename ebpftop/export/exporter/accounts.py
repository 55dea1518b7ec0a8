"""Sums of the probes' counts since the exporter began, in few series: those of the greatest keys, and one for all
others.

A key gets a series while one is free; the greatest gain of an interval comes first. Once all are taken, a key replaces
the one with the smallest recent gain if it gains more than that in one interval; one key an interval can do so. Its
earlier gains are in `OTHER` and stay there: no series ever shrinks, so that rates are correct and add up to the view's.
A removed series takes its sum with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np

from ebpftop.base.inert import inert
from ebpftop.export.exporter.naming import Metric, metric, word
from ebpftop.export.report import HistogramPart, Part, Report, RowsPart
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.telling import Telling
from ebpftop.frames.messages import Losses, Mark
from ebpftop.model.report_columns import ReportColumn
from ebpftop.stats.slots import SLOTS, bounds

OTHER = "other"
LATELY = 60.0  # seconds until a gain counts half
LABEL = 200  # characters of a label's value

Key = tuple[str, ...]  # values of the labels
# Upper bounds of buckets, by unit: powers of two, whose counts are exact because no slot contains one.
_EDGES = {"ns": [1 << power for power in range(10, 37)], "": [1 << power for power in range(0, 41, 2)]}


@dataclass(slots=True)
class Series:
    """amount: int or, of a histogram, counts by slot. lately: the amount as a number in which older gains count
    less.
    """

    amount: Any
    lately: float = 0.0


@dataclass(slots=True)
class Family:
    """The series of a metric. edges: of a histogram's buckets, in the view's unit."""

    metric: Metric
    labels: Key
    edges: Sequence[int] = ()
    series: dict[Key, Series] = field(default_factory=dict)
    last: float = 0.0  # length in seconds of the last interval

    def gain(self, gains: Mapping[Key, Any], now: float, most: int) -> None:
        """Add the gains of keys in an interval that ends now (seconds)."""
        for series in self.series.values():
            series.lately *= 0.5 ** ((now - self.last) / LATELY)
        self.last = now
        sums = {key: float(np.sum(amount)) for key, amount in gains.items()}
        yields = True
        for key in sorted(gains, key=lambda key: -sums[key]):
            place = key
            if key not in self.series and len(self.series) - (self.other in self.series) >= most:
                least = min(set(self.series) - {self.other}, key=lambda key: self.series[key].lately)
                if yields and sums[key] > self.series[least].lately + sums.get(least, 0):
                    del self.series[least]
                else:
                    place = self.other
                yields = False
            series = self.series.setdefault(place, Series(gains[key] * 0))
            series.amount = series.amount + gains[key]
            series.lately += sums[key]

    @property
    def other(self) -> Key:
        return (OTHER,) * len(self.labels)


@dataclass(slots=True)
class Standing:
    """The state of a probe. read: when its counts were, in seconds since 1970. losses, run_count, run_ns: since
    attaching.
    """

    variant: str
    up: bool = True
    read: float = 0.0
    losses: Losses = field(default_factory=Losses)
    run_count: int = 0
    run_ns: int = 0


class Accounts(Telling):
    """A format that takes reports and keeps their sums. most: series of a family, in addition to `OTHER`."""

    def __init__(self, most: int, err: TextIO) -> None:
        self.families: dict[str, Family] = {}
        self.probes: dict[str, Standing] = {}
        super().__init__(err)
        self._most = most
        self._now = 0.0

    def report(self, report: Report) -> None:
        """Add an interval."""
        self._now = report.time_ns / 1e9
        standing = self.probes.setdefault(report.probe, Standing(report.variant))
        standing.up, standing.read, standing.losses = not report.final, self._now, report.losses
        if report.cost:
            standing.run_count, standing.run_ns = report.cost.run_count, report.cost.run_time_ns
        for part in report.parts:
            self._part(report.probe, part)

    def marked(self, mark: Mark) -> None:
        """Does nothing: marks are no metrics."""

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Note that the probe is detached."""
        self.probes.setdefault(report.probe, Standing(report.variant)).up = False

    def _part(self, probe: str, part: Part) -> None:
        if isinstance(part, HistogramPart):
            gains = _summed((_key(each.labels), _slots(each.histogram())) for each in part.series)
            self._gain(metric(probe, part.view), _names(part.labels), gains, _EDGES.get(part.view.unit, _EDGES[""]))
        elif isinstance(part, StacksPart):
            columns = [each for each in part.columns if _is_label(each)]
            rows = zip(_rows(columns, len(part.profile)), part.profile.counts.tolist(), strict=True)
            if not part.view.gauge:
                self._gain(metric(probe, part.view), _columns(columns), _summed(rows))
        elif part.kind == "events":
            columns = [each for each in part.columns if each.shown.part in ("comm", "container", "unit")]
            gains = _summed((key, 1) for key in _rows(columns, part.count))
            self._gain(metric(probe, part.view), _columns(columns), gains)
        else:
            self._table(probe, part)

    def _table(self, probe: str, part: RowsPart) -> None:
        keys = [each for each in part.columns if each.shown.info.role == "key" and _is_label(each)]
        rows = list(_rows(keys, part.count))
        for column in part.columns:
            if column.shown.info.role == "counter":
                gains = _summed(zip(rows, column.values, strict=True))
                self._gain(metric(probe, part.view, column.shown.info.field), _columns(keys), gains)

    def _gain(self, of: Metric, labels: Key, gains: Mapping[Key, Any], edges: Sequence[int] = ()) -> None:
        family = self.families.get(of.name)
        if family is None:
            family = self.families[of.name] = Family(of, labels, edges)
        family.gain(gains, self._now, self._most)


def _summed(rows: Iterable[tuple[Key, Any]]) -> dict[Key, Any]:
    sums: dict[Key, Any] = {}
    for key, amount in rows:
        sums[key] = sums[key] + amount if key in sums else amount
    return sums


def _slots(histogram: Any) -> Any:
    counts = np.zeros(SLOTS, np.int64)
    counts[histogram.slots] = histogram.counts
    return counts


def _is_label(column: ReportColumn) -> bool:
    return column.shown.part in (None, "comm", "container", "unit")


def _rows(columns: list[ReportColumn], count: int) -> Iterable[Key]:
    """The labels of each row."""
    if not columns:
        return [()] * count
    return (tuple(map(_value, row)) for row in zip(*(each.values for each in columns), strict=True))


def _columns(columns: list[ReportColumn]) -> Key:
    """The names of labels. A process's name is always `comm`, whatever other columns are called, unless there are
    several processes.
    """
    names = [each.shown.part or each.shown.name for each in columns]
    return _names(
        [name if names.count(name) == 1 else each.shown.name for name, each in zip(names, columns, strict=True)]
    )


def _names(labels: Iterable[str]) -> Key:
    return tuple(word(each) for each in labels if not _is_number(each))


def _key(labels: Mapping[str, Any]) -> Key:
    return tuple(_value(value) for name, value in labels.items() if not _is_number(name))


def _is_number(label: str) -> bool:
    """Whether the label distinguishes processes with the same name: a series for each would soon be too many."""
    return label.rpartition("_")[2] in ("pid", "nspid")


def _value(value: Any) -> str:
    return inert("" if value is None else str(value))[:LABEL]


def buckets(family: Family, counts: Any) -> list[tuple[float, int]]:
    """(upper bound in the family's unit, number of values below it); the last bound is infinite."""
    uppers = np.array([bounds(slot)[1] for slot in range(SLOTS)], np.float64)
    found = [(edge * family.metric.scale, int(counts[uppers <= edge].sum())) for edge in family.edges]
    return [*found, (float("inf"), int(counts.sum()))]


def estimated_sum(family: Family, counts: Any) -> float:
    """The estimated sum of the values, each taken as the middle of its slot."""
    used = np.flatnonzero(counts)
    return float(sum(sum(bounds(int(slot))) / 2 * int(counts[slot]) for slot in used)) * family.metric.scale
