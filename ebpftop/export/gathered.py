"""The data of a page about a stream, gathered: later frames don't change it, so that another thread can write it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ebpftop.export.overview import Overview, overview
from ebpftop.export.spans import SpanPart, span_parts, whole
from ebpftop.export.taped import Chapter, Moment
from ebpftop.frames.messages import Hello, Host, Losses, ProbeInfo, RingUse, ViewInfo
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.readings import CostNow, cost
from ebpftop.model.run import Run
from ebpftop.model.scope import WHOLE, Scope


@dataclass(frozen=True, slots=True)
class RunNumbers:
    """A run in a span. info: its catalog entry. overviews: one a part. traced: whether losses and cost are those of the
    span, not all since attaching. skew: values that shrank, by view.
    """

    run: Run
    info: ProbeInfo | None
    parts: list[SpanPart]
    overviews: list[Overview | None]
    losses: Losses
    cost: CostNow | None
    traced: bool
    rings: list[RingUse]
    skew: dict[str, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    """A stream in a span. sampled: from its first sample to the last, monotonic. ahead: realtime minus monotonic ns.
    unnoticed: number of moments beyond those kept. title: shown above the stream if there are several. spans: its
    compared spans, by name.
    """

    hello: Hello | None
    sampled: Span | None
    ahead: int
    moments: list[Moment]
    unnoticed: int
    hosts: list[Host]
    runs: list[RunNumbers]
    title: str = ""
    spans: dict[str, Span] = field(default_factory=dict)


def begun(chapter: Chapter, span: Span = ALL) -> Gathered:
    """The stream without any run."""
    sampled = chapter.sampled
    if sampled is not None:
        start = max(span.start, sampled.start)
        sampled = Span(start, max(start, min(span.end, sampled.end)))
    session, ahead = chapter.session, chapter.ahead
    moments = [
        each
        for each in chapter.moments()
        if each.realtime_ns is None or span.start <= each.realtime_ns - ahead <= span.end
    ]
    return Gathered(session.hello, sampled, ahead, moments, chapter.unnoticed, [*session.hosts], [])


def gather(chapter: Chapter, scope: Scope = WHOLE) -> Gathered:
    """The stream with all its runs."""
    found = begun(chapter, scope.wanted if isinstance(scope.wanted, Span) else ALL)
    found.runs.extend(of_run(chapter, run, scope) for run in chapter.runs())
    return found


def of_run(chapter: Chapter, run: Run, scope: Scope = WHOLE, only: ViewInfo | None = None) -> RunNumbers:
    """The gains, losses and cost of a run in a span. only: one of its views, instead of all."""
    session = chapter.session
    catalog, scope = session.catalog, scope.among(session.processes)
    info = next((each for each in catalog.probes if each.id == run.probe), None) if catalog else None
    span = whole(run, scope.wanted)
    trace = chapter.traces.get(run.id)
    parts = span_parts(run, session.processes, scope, only)
    return RunNumbers(
        run=run,
        info=info,
        parts=parts,
        overviews=[overview(run, each.view, scope, span) for each in parts],
        losses=trace.losses(span) if trace else run.losses,
        cost=trace.cost(span) if trace else cost(run),
        traced=trace is not None,
        rings=[ring for ring in run.costs[-1].rings if ring.size] if run.costs else [],
        skew={name: ledger.skew for name, ledger in run.ledgers.items() if ledger.skew},
    )
