"""Accounts over time, as OpenMetrics text with timestamps: what a Prometheus server would have scraped from an
exporter.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TextIO

from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest

from ebpftop.export.exporter.accounts import Accounts
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.report import Report

STEP = 1.0  # seconds between samples
MOST = 2_000_000  # stored numbers; beyond, every second sample is dropped, and later samples are half as frequent
SERIES = 20  # of a family, in addition to `other`: the exporter's default
_END = b"# EOF\n"

_Labels = tuple[tuple[str, str], ...]


class _Group:
    """Samples of one set of labels, such as a histogram's buckets. values: for each moment, as many as there are
    names.
    """

    def __init__(self, names: list[tuple[str, dict[str, str]]]) -> None:
        self.names = names
        self.numbers = array("q")  # of moments
        self.values = array("d")

    def thin(self) -> None:
        """Keep the samples of even moments, and halve these moments' numbers."""
        width = len(self.names)
        kept = [at for at, number in enumerate(self.numbers) if number % 2 == 0]
        self.values = array("d", (each for at in kept for each in self.values[at * width : (at + 1) * width]))
        self.numbers = array("q", (self.numbers[at] // 2 for at in kept))


class Timed(Accounts):
    """A format that is written at the end of a tape."""

    def __init__(self, err: TextIO, series: int = SERIES) -> None:
        super().__init__(series, err)
        self._exposition = Exposition(self)
        self._families: dict[str, tuple[Metric, dict[_Labels, _Group]]] = {}
        self._moments = array("d")  # seconds since 1970
        self._step = STEP
        self._kept = 0

    def report(self, report: Report) -> None:
        """Add an interval; the state before it becomes a sample, if the last one is old enough."""
        if self._now and report.time_ns / 1e9 > self._now and self._is_due():
            self._sample()
        super().report(report)

    def _is_due(self) -> bool:
        return not self._moments or self._now >= self._moments[-1] + self._step * 0.95  # intervals vary a little

    def _sample(self) -> None:
        number = len(self._moments)
        self._moments.append(self._now)
        for family in self._exposition.collect():
            _, groups = self._families.setdefault(family.name, (family, {}))
            for labels, samples in _grouped(family).items():
                group = groups.get(labels)
                if group is None:
                    group = groups[labels] = _Group([(each.name, each.labels) for each in samples])
                group.numbers.append(number)
                group.values.extend(float(each.value) for each in samples)
                self._kept += len(samples)
        if self._kept > MOST:
            self._thin()

    def _thin(self) -> None:
        self._moments = self._moments[::2]
        self._step *= 2
        for _, groups in self._families.values():
            for group in groups.values():
                group.thin()
        self._kept = sum(len(group.values) for _, groups in self._families.values() for group in groups.values())

    def write(self, out: BinaryIO) -> None:
        """Write all samples, by family, set of labels and time."""
        if self._now and (not self._moments or self._now > self._moments[-1]):
            self._sample()
        for family, groups in self._families.values():
            text: bytes = generate_latest(_Only(_told(family, groups, self._moments)))  # type: ignore[no-untyped-call]
            out.write(text.removesuffix(_END))
        out.write(_END)


class _Only:
    """A registry with one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _told(family: Metric, groups: Mapping[_Labels, _Group], moments: array[float]) -> Metric:
    found = Metric(family.name, family.documentation, family.type, family.unit)
    for group in groups.values():
        values = iter(group.values)
        for number in group.numbers:
            for name, labels in group.names:
                found.add_sample(name, labels, next(values), timestamp=round(moments[number], 3))
    return found


def _grouped(family: Metric) -> dict[_Labels, list[Any]]:
    found: dict[_Labels, list[Any]] = {}
    for sample in family.samples:
        labels = tuple(pair for pair in sorted(sample.labels.items()) if pair[0] != "le")
        found.setdefault(labels, []).append(sample)
    return found
