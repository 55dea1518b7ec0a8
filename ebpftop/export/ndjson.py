"""One JSON object per interval, one per line."""

from __future__ import annotations

import json
from typing import Any, TextIO

import msgspec

from ebpftop.base.inert import inert
from ebpftop.export.failure_json import fields
from ebpftop.export.report import HistogramPart, Part, Report, Series
from ebpftop.export.stack_report import StacksPart
from ebpftop.frames.messages import Function, Mark
from ebpftop.model.failure import Failure
from ebpftop.model.machines import Gap
from ebpftop.stats.slots import SLOTS, bounds

_BOUNDS = [bounds(slot) for slot in range(SLOTS)]


class Ndjson:
    """Writes reports; there is no summary, because the lines add up to it."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def report(self, report: Report) -> None:
        self._line(as_json(report))

    def marked(self, mark: Mark) -> None:
        self._line({"mark": {"time_ns": mark.realtime_ns, "text": mark.text, "from": mark.origin}})

    def failed(self, failure: Failure) -> None:
        """The failure as the stream's only object, and a line on `err`."""
        self._line({"failed": fields(failure)})
        print(f"ebpftop: {inert(failure.headline)}", file=self._err)

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Writes nothing."""

    def _line(self, value: dict[str, Any]) -> None:
        line = msgspec.json.encode(value)
        if not line.isascii():
            line = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
        self._out.write(line.decode() + "\n")
        self._out.flush()


def as_json(report: Report) -> dict[str, Any]:
    """The object of one interval. Views contain the gains of the interval; losses, run_count, run_time_ns and
    attachment_ns (an estimate) are since attaching; cpu_percent is the interval's, null if the kernel does not count.
    estimated: the kernel counted for about a tenth of the time, at least for a while.
    """
    cost = report.cost
    return {
        "probe": report.probe,
        "variant": report.variant,
        "meaning": report.meaning,
        "seq": report.seq,
        "time_ns": report.time_ns,
        "lost": report.losses.lost,
        "map_full": report.losses.map_full,
        "evicted": report.losses.evicted,
        "cost": {
            "run_count": cost.run_count if cost else 0,
            "run_time_ns": cost.run_time_ns if cost else 0,
            "attachment_ns": cost.attachment_ns if cost else 0,
            "cpu_percent": cost.cpu_percent if cost else None,
            "estimated": cost.estimated if cost else False,
        },
        "views": {part.view.name: _scoped(part) for part in report.parts},
        **({"gaps": [_gap(gap) for gap in report.gaps]} if report.gaps else {}),
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {"host": gap.host, "since_ns": gap.since_ns, "until_ns": gap.until_ns, "why": gap.why}


def _scoped(part: Part) -> dict[str, Any]:
    """The part's object, with its scope if that isn't an interval."""
    return _part(part) if part.shown is None else {**_part(part), "scope": part.shown.as_json()}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, HistogramPart):
        return {"kind": "histogram", "unit": part.view.unit, "series": [_series(each) for each in part.series]}
    if isinstance(part, StacksPart):
        rows = [
            {"labels": labels, "frames": [_frame(f) for f in frames], "count": n} for labels, frames, n in part.rows()
        ]
        return {"kind": "stacks", "unit": part.view.unit, "stacks": rows}
    return {
        "kind": part.kind,
        "columns": [{"name": column.shown.name, "unit": column.shown.unit} for column in part.columns],
        "rows": list(zip(*(column.values for column in part.columns), strict=True)),
    }


def _frame(function: Function) -> dict[str, Any]:
    """`name` is empty if no symbol is known, or says why in brackets; for a missing frame it says why that is missing.
    `symbol`, `file` and `line` are present if known.
    """
    known = {"symbol": function.symbol} if function.symbol else {}
    place = {"file": function.file, "line": function.line} if function.line else {}
    frame = {"name": function.name, "module": function.module, "offset": function.offset, "side": function.side}
    return {**frame, **known, **place}


def _series(series: Series) -> dict[str, Any]:
    histogram = series.histogram()
    slots = zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True)
    buckets = [(*_BOUNDS[slot], count) for slot, count in slots]
    return {"labels": series.labels, "count": series.count, **series.quantiles, "buckets": buckets}
