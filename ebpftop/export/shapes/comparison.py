"""What 'ebpftop compare' prints."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ebpftop.export.shapes.base import Bounds, Cell, Shape, Whole


class Side(Shape):
    """One of the two spans; times are what samples cover."""

    tape: str
    host: str
    kernel: str
    from_ns: int
    to_ns: int


Value = float | Bounds | None


class Change(Shape):
    """A rate, a current value, or the bounds of a percentile. changed: null if that can't be told."""

    before: Value
    after: Value
    changed: bool | None


class ComparedRow(Shape):
    """numbers: by name."""

    labels: dict[str, Cell]
    numbers: dict[str, Change]


Two = Annotated[list[float], Meta(min_length=2, max_length=2)]  # before and after


class ComparedRows(Shape):
    """others: rows that gained less than all of these. by: the dimension by which rows are summed."""

    unit: str
    seconds: Two
    steps: Two
    rows: list[ComparedRow]
    others: Whole
    by: str | msgspec.UnsetType = msgspec.UNSET


class ComparedTable(ComparedRows, tag_field="kind", tag="table"):
    """Rows of a table."""


class ComparedEvents(ComparedRows, tag_field="kind", tag="events"):
    """Events, counted."""


class ComparedHistogram(ComparedRows, kw_only=True, tag_field="kind", tag="histogram"):
    """whole: of all rows together. buckets: (lo, hi, values before, values after)."""

    whole: dict[str, Change]
    buckets: list[Annotated[list[Whole], Meta(min_length=4, max_length=4)]]


class Shares(Shape):
    """Percent of each span's stacks."""

    before: float | None
    after: float | None


class ComparedFunction(Shape):
    """own: stacks that end in it. total: those that hold it."""

    function: str
    module: str
    side: str
    own: Shares
    total: Shares


class ComparedStacks(Shape, tag_field="kind", tag="stacks"):
    """values: how many there were."""

    unit: str
    seconds: Two
    values: Two
    functions: list[ComparedFunction]


class ComparedProbe(Shape):
    """differences: what besides the numbers differs, in words."""

    probe: str
    differences: list[str]
    views: dict[str, ComparedTable | ComparedEvents | ComparedHistogram | ComparedStacks]


class Comparison(Shape):
    """Two spans beside each other."""

    before: Side
    after: Side
    differences: list[str]
    only_before: list[str]
    only_after: list[str]
    probes: list[ComparedProbe]
