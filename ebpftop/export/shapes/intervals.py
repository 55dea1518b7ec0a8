"""What 'ebpftop run', 'report' and 'tape export' print: a line each."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ebpftop.export.shapes.base import Bounds, Cell, Shape, Share, Whole
from ebpftop.export.shapes.failures import Failure


class Cost(Shape):
    """Since attaching; cpu_percent is the interval's, null where the kernel doesn't count. attachment_ns: estimated.
    estimated: whether all of it is, because the kernel counted for about a tenth of the time, at least for a while.
    """

    run_count: Whole
    run_time_ns: Whole
    attachment_ns: Whole
    cpu_percent: Share
    estimated: bool


class Scope(Shape):
    """What a view is about, where that isn't an interval. Times are null where there is no sample."""

    rows: list[str]
    from_ns: int | None
    to_ns: int | None
    seconds: float


class Series(Shape):
    """The histogram of one key. buckets: (lo, hi, count), lo <= v < hi. Percentiles are bounds of the same kind."""

    labels: dict[str, Cell]
    count: Whole
    buckets: list[Annotated[list[Whole], Meta(min_length=3, max_length=3)]]
    p50: Bounds | msgspec.UnsetType = msgspec.UNSET
    p90: Bounds | msgspec.UnsetType = msgspec.UNSET
    p99: Bounds | msgspec.UnsetType = msgspec.UNSET


class HistogramView(Shape, tag_field="kind", tag="histogram"):
    """unit: of the values."""

    unit: str
    series: list[Series]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class ViewColumn(Shape):
    """A column of rows."""

    name: str
    unit: str


class TableView(Shape, tag_field="kind", tag="table"):
    """rows: one cell per column."""

    columns: list[ViewColumn]
    rows: list[list[Cell]]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class EventsView(Shape, tag_field="kind", tag="events"):
    """rows: one cell per column, oldest first."""

    columns: list[ViewColumn]
    rows: list[list[Cell]]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class StackFrame(Shape):
    """A function, or a gap. name: empty if no symbol is known; text in brackets says why there is none (`[stripped]`),
    or why the rest of the stack is missing.
    """

    name: str
    module: str
    offset: Whole
    side: Literal["kernel", "user", "python", "missing"]
    symbol: str | msgspec.UnsetType = msgspec.UNSET
    file: str | msgspec.UnsetType = msgspec.UNSET
    line: Whole | msgspec.UnsetType = msgspec.UNSET


class CallStack(Shape):
    """frames: outermost first."""

    labels: dict[str, Cell]
    frames: list[StackFrame]
    count: int


class StacksView(Shape, tag_field="kind", tag="stacks"):
    """unit: of the counts."""

    unit: str
    stacks: list[CallStack]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class Gap(Shape):
    """A time in which nothing came from a host. Times are ns since 1970; null until it is back.

    why: the probe isn't there, though the host is; else "".
    """

    host: str
    since_ns: Whole
    until_ns: Whole | None
    why: str


class Interval(Shape):
    """What a probe counted in an interval. Losses are since attaching. gaps: of several hosts, if there are any."""

    probe: str
    variant: str
    meaning: str
    seq: Whole
    time_ns: Whole
    lost: Whole
    map_full: Whole
    evicted: Whole
    cost: Cost
    views: dict[str, HistogramView | TableView | EventsView | StacksView]
    gaps: list[Gap] | msgspec.UnsetType = msgspec.UNSET


class MarkText(Shape, rename={"origin": "from"}):
    """A moment with a name."""

    time_ns: Whole
    text: str
    origin: Literal["person", "outside", "trigger"]


class Marked(Shape):
    """A line that is a mark."""

    mark: MarkText


class Failed(Shape):
    """The only line of a probe that could not be loaded."""

    failed: Failure
