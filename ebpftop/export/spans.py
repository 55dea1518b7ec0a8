"""The report of a span of a run's past. `report.report` covers its last interval, or everything since attaching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ebpftop.export.grouped import grouped_part
from ebpftop.export.report import Part, Report, RowsPart, view_part
from ebpftop.export.shown import Shown, rows_of
from ebpftop.frames.columns import take
from ebpftop.frames.messages import FOLDED, Losses, Process, ViewInfo
from ebpftop.model import events, readings
from ebpftop.model.events import Chunk
from ebpftop.model.machines import within
from ebpftop.model.narrowing import selected_rows
from ebpftop.model.past.span import ALL, LAST, Recent, Span, Wanted
from ebpftop.model.readings import CostNow
from ebpftop.model.run import Run
from ebpftop.model.scope import WHOLE, Aspect, Scope
from ebpftop.stats import formatting

_OTHERS = Process(id=FOLDED, tgid=0, start_ns=0, comm="(others)")


@dataclass(frozen=True, slots=True)
class SpanPart:
    """The part of one view, and the time that it covers. seconds: observed; 0 if only one sample is known.

    events: their number, including dropped ones if nothing narrows the view. dropped: the number of dropped events.
    folded: rows that stand for several keys.
    """

    view: ViewInfo
    part: Part
    span: Span | None
    seconds: float
    events: int = 0
    dropped: int = 0
    folded: int = 0


def span_parts(
    run: Run, processes: Mapping[int, Process], scope: Scope = WHOLE, only: ViewInfo | None = None
) -> list[SpanPart]:
    """The gain of each view of a loaded run in a span, or of only one of them."""
    if FOLDED not in processes:
        processes = {**processes, FOLDED: _OTHERS}
    return [_part(run, view, processes, scope) for view in run.views if only in (None, view)]


def whole(run: Run, wanted: Wanted) -> Span:
    """A span of whole steps: the steps of a run that end in it; if none does, the step that contains it; otherwise the
    span itself.
    """
    past = next(iter(run.pasts.values()), None)
    if isinstance(wanted, Span) and (past is None or len(past.times(wanted))):
        return wanted
    covered = past.covered(wanted) if past is not None else None
    if covered is not None:
        return covered
    if isinstance(wanted, Recent):
        end = min(wanted.end, run.last.monotonic_ns) if run.last else LAST
        return Span.last(wanted.seconds, end) if 0 < wanted.seconds <= readings.elapsed(run) else Span(end=end)
    return wanted


def span_report(run: Run, parts: list[SpanPart], losses: Losses, cost: CostNow | None) -> Report:
    """The parts as a report, for the formats that write one."""
    assert run.loaded is not None
    starts = [each.span.start for each in parts if each.span]
    ends = [each.span.end for each in parts if each.span]
    return Report(
        probe=run.probe,
        variant=run.loaded.variant,
        meaning=run.loaded.meaning,
        seq=0,
        time_ns=realtime(run, max(ends)) if ends else run.last.realtime_ns if run.last else 0,
        seconds=max((each.seconds for each in parts), default=0.0),
        losses=losses,
        cost=cost,
        final=True,
        parts=[each.part for each in parts],
        rings=[ring for ring in run.costs[-1].rings if ring.size] if run.costs else [],
        gaps=within(run.gaps, realtime(run, min(starts)), realtime(run, max(ends))) if ends else [],
    )


def realtime(run: Run, monotonic_ns: int) -> int:
    """A moment in realtime, converted by the run's last sample."""
    return monotonic_ns + (run.last.realtime_ns - run.last.monotonic_ns if run.last else 0)


def _part(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> SpanPart:
    found = _events(run, view, processes, scope) if view.show == "events" else _gained(run, view, processes, scope)
    start, end = (realtime(run, found.span.start), realtime(run, found.span.end)) if found.span else (None, None)
    rows = [*rows_of(run, view, scope)]
    leaves_out = scope.of(run, view).own is False and found.part.holds_own
    if leaves_out:
        rows.append("without ebpftop's own processes")
    if found.dropped:
        rows.append(f"{formatting.count(found.dropped)} older ones dropped")
    return replace(found, part=replace(found.part, shown=Shown(tuple(rows), start, end, found.seconds, leaves_out)))


def _gained(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> SpanPart:
    aspect = scope.of(run, view)
    covered = readings.extent(run, view, _covering(run, aspect, scope.wanted))
    if aspect.slice is not None:
        covered = readings.Extent(aspect.slice.span, aspect.slice.span.seconds)
    past = run.pasts.get(view.name)
    folded = int(np.count_nonzero(past.roster.others)) if past is not None else 0
    part = grouped_part(run, view, processes, scope) if aspect.by else view_part(run, view, processes, {}, scope)
    return SpanPart(view, part, covered.span, covered.seconds, folded=folded)


def _covering(run: Run, aspect: Aspect, wanted: Wanted) -> Wanted:
    """The span; if growth since a moment is shown, the span after that moment."""
    if aspect.since is None or run.last is None:
        return wanted
    return Span(aspect.since, max(aspect.since, min(run.last.monotonic_ns, wanted.end)))


def _events(run: Run, view: ViewInfo, processes: Mapping[int, Process], scope: Scope) -> SpanPart:
    wanted, selection, aspect = scope.wanted, scope.selection, scope.of(run, view)
    numbers = range(0)
    chunks: list[Chunk] = []
    log = run.events.get(view.map)
    dropped = selected = 0
    if log is not None:
        numbers = range(log.total) if wanted == ALL else readings.events(run, view, wanted)
        first = max(numbers.start, log.total - log.kept)
        dropped = max(0, min(first, numbers.stop) - numbers.start)
        for chunk in log.since(first):
            rows = len(next(iter(chunk.values())))
            if first >= numbers.stop:
                break
            within = events.part(chunk, 0, min(rows, numbers.stop - first))
            mask = selected_rows(selection, view, within.__getitem__, min(rows, numbers.stop - first))
            chunks.append(within if mask is None else {name: take(each, mask) for name, each in within.items()})
            selected += len(next(iter(chunks[-1].values())))
            first += rows
    covered = _sampled(run, whole(run, wanted))
    if aspect.by is not None:
        part = grouped_part(run, view, processes, scope, numbers)
    else:
        part = view_part(run, view, processes, {view.map: chunks}, scope)
        selected = part.count if aspect.query and isinstance(part, RowsPart) else selected
    everything = not aspect.query and len(selection.missing(view)) == len(selection.choices)
    count = len(numbers) if everything else selected
    return SpanPart(view, part, covered, covered.seconds if covered else 0.0, count, dropped)


def _sampled(run: Run, span: Span) -> Span | None:
    """The part of a span that the run's samples cover."""
    if run.last is None:
        return None
    start, end = max(span.start, run.began_ns), min(span.end, run.last.monotonic_ns)
    return Span(start, end) if start <= end else None
