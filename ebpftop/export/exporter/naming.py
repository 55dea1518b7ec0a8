"""Names of metrics: from probe, view and column, with Prometheus' base units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ebpftop.base.inert import inert
from ebpftop.frames.messages import ViewInfo

_SCALES = {"ns": ("seconds", 1e-9), "bytes": ("bytes", 1.0)}
_ODD = re.compile(r"[^a-zA-Z0-9_]+")


class Metric(NamedTuple):
    """name: without the suffixes of kinds. scale: the factor from a view's number to `unit`."""

    kind: Literal["counter", "histogram"]
    name: str
    help: str
    unit: str
    scale: float

    @property
    def family(self) -> str:
        return f"{self.name}_{self.unit}" if self.unit else self.name


def metric(probe: str, view: ViewInfo, field: str = "") -> Metric:
    """The metric of a view, or of one counting column of a table."""
    kind: Literal["counter", "histogram"] = "histogram" if view.show == "histogram" else "counter"
    column = next((each for each in view.columns if each.field == field), None)
    title = view.title if column is None else f"{view.title}: {column.title}"
    if view.show == "stacks":
        title += ", whatever the stack"
    given = "" if view.show == "events" else view.unit if column is None else column.unit
    unit, scale = _SCALES.get(given, ("", 1.0))
    words = [word(each) for each in ("ebpftop", probe.partition("/")[2], view.name, field) if each]
    return Metric(kind, "_".join(words), inert(title), unit, scale)


def metrics(probe: str, views: list[ViewInfo]) -> Iterator[tuple[Metric, ViewInfo]]:
    """All metrics that a probe may have."""
    for view in views:
        if view.show == "table":
            yield from ((metric(probe, view, field), view) for field in view.counters)
        elif not view.gauge:
            yield metric(probe, view), view


def word(text: str) -> str:
    """A text as a part of a name."""
    return _ODD.sub("_", text)
