"""The scope of an output of a view: in words, and in numbers for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ebpftop.base.inert import inert
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.chosen import lacking, narrowing
from ebpftop.model.run import Run
from ebpftop.model.scope import Aspect, Scope
from ebpftop.model.trees import is_tree
from ebpftop.stats import formatting

_LATEST = 253402300799 * formatting.NS  # the year 9999, the last that has a date


@dataclass(frozen=True, slots=True)
class Shown:
    """rows: what narrows or sums the rows, inert; empty if all rows are shown unchanged. start_ns, end_ns: realtime of
    the covered span, None if that is empty. seconds: how long it was observed. leaves_out: whether ebpftop's own rows
    are left out of data too, not only of rankings.
    """

    rows: tuple[str, ...]
    start_ns: int | None
    end_ns: int | None
    seconds: float
    leaves_out: bool = False

    @property
    def words(self) -> str:
        """The selection of rows, `only backup 4711 · by unit`, or `all`."""
        return " · ".join(self.rows) or "all"

    @property
    def line(self) -> str:
        """The whole scope. It doesn't end in a number, so that it can't be mistaken for a folded stack."""
        if self.start_ns is None or self.end_ns is None:
            return f"{self.words} · no sample"
        observed = f"{formatting.duration(self.seconds * 1e9)} observed"
        return f"{self.words} · {_clock(self.start_ns)} to {_clock(self.end_ns)} · {observed}"

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "from_ns": self.start_ns, "to_ns": self.end_ns, "seconds": self.seconds}


def rows_of(run: Run, view: ViewInfo, scope: Scope) -> tuple[str, ...]:
    """The filters and sums that apply to the rows of a view."""
    aspect = scope.of(run, view)
    said = (
        narrowing(scope.selection, view),
        lacking(scope.selection, view),
        _key(view, aspect, scope),
        _slice(run, view, aspect),
        "growth" if aspect.since is not None else "",
        _by(aspect),
        f"matching “{inert(aspect.query)}”" if aspect.query else "",
    )
    return tuple(each for each in said if each)


def _by(aspect: Aspect) -> str:
    if aspect.by is None:
        return ""
    return f"by {inert(aspect.by.title)}{', each with all below it' if is_tree(aspect.by) else ''}"


def _key(view: ViewInfo, aspect: Aspect, scope: Scope) -> str:
    words = []
    for column in view.by_columns if aspect.key else ():
        value = aspect.key[column.field]
        process = scope.selection.processes.get(value) if column.is_process and isinstance(value, int) else None
        words.append(f"{process.comm} {process.tgid}" if process else f"{column.title} {value}")
    return f"only {', '.join(map(inert, words))}" if words else ""


def _slice(run: Run, view: ViewInfo, aspect: Aspect) -> str:
    if aspect.slice is None:
        return ""
    moments, cpu = run.moments.get(view.name), aspect.slice.cpu
    period = float(f"{moments.period:.2g}") if moments is not None else 0.0
    each = f", one each {formatting.value(period, 'ns')}" if period else ""
    return f"single samples of {'all CPUs' if cpu is None else f'CPU {cpu}'}{each}"


def _clock(realtime_ns: int) -> str:
    if not 0 <= realtime_ns <= _LATEST:
        return f"{realtime_ns} ns"
    return datetime.fromtimestamp(realtime_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
