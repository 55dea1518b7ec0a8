"""Two spans of sessions: which runs and views can be compared, and what differs between them or can't be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Losses, ViewInfo
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.sides import observed
from ebpftop.model.comparing.view import ViewComparison, comparable, compare
from ebpftop.model.grouping import groupings
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.model.session import Session


@dataclass(frozen=True, eq=False, slots=True)
class RunComparison:
    """A probe in both spans. differences: what isn't the same, and what isn't compared, a line each."""

    probe: str
    before: Run
    after: Run
    differences: list[str]
    views: list[ViewComparison]


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """differences: of the machines. only: (probe, 0 or 1) that ran in only one of the spans."""

    differences: list[str]
    runs: list[RunComparison]
    only: list[tuple[str, int]]


def compare_sessions(sessions: tuple[Session, Session], spans: tuple[Span, Span], by: str = "") -> Comparison:
    """A span of each; both sessions may be the same one. by: the dimension by which rows are summed in views that have
    it.
    """
    pairs, only = _pairs(*sessions)
    runs = []
    for before, after in pairs:
        halves = [
            Half(run, span, session.processes, session.hello)
            for run, span, session in zip((before, after), spans, sessions, strict=True)
        ]
        attached = [_attached(half) for half in halves]
        if before is after and not all(attached):
            only += [(before.probe, side) for side in (0, 1) if attached[side]]
            continue
        runs.append(_runs((halves[0], halves[1]), by))
    return Comparison(_machines(*sessions), runs, only)


def _attached(half: Half) -> bool:
    """Whether a run has a sample in its span."""
    if half.run.pasts:
        return any(len(past.times(half.span)) for past in half.run.pasts.values())
    return any(observed(half, view) for view in half.run.views)


def _pairs(a: Session, b: Session) -> tuple[list[tuple[Run, Run]], list[tuple[str, int]]]:
    """Runs of the same probe, with the same parameters if there are such; and those left over."""
    mine = [run for run in a.runs.values() if run.loaded]
    if a is b:
        return [(run, run) for run in mine], []
    theirs = [run for run in b.runs.values() if run.loaded]
    pairs = []
    for alike in (True, False):
        for run in list(mine):
            found = next((o for o in theirs if o.probe == run.probe and (o.params == run.params or not alike)), None)
            if found:
                pairs.append((run, found))
                mine.remove(run)
                theirs.remove(found)
    return pairs, [(run.probe, 0) for run in mine] + [(run.probe, 1) for run in theirs]


def _machines(a: Session, b: Session) -> list[str]:
    if a is b or a.hello is None or b.hello is None:
        return []
    facts = {"host": "host", "kernel": "kernel", "machine": "machine", "CPUs": "cpus", "ebpftop": "version"}
    return list(_differing({name: (getattr(a.hello, field), getattr(b.hello, field)) for name, field in facts.items()}))


def _differing(facts: dict[str, tuple[object, object]]) -> Iterator[str]:
    for name, (before, after) in facts.items():
        if before != after:
            yield f"{name}: {inert(str(before))} → {inert(str(after))}"


def _runs(halves: tuple[Half, Half], by: str) -> RunComparison:
    a, b = halves
    differences: list[str] = []
    if a.run is not b.run:
        assert a.run.loaded
        assert b.run.loaded
        facts: dict[str, tuple[object, object]] = {
            "parameters": (_params(a.run), _params(b.run)),
            "variant": (a.run.loaded.variant, b.run.loaded.variant),
            "meaning": (a.run.loaded.meaning, b.run.loaded.meaning),
        }
        differences += _differing(facts)
        differences += [
            f"{side}: {_losses(half.run.losses)}"
            for side, half in (("before", a), ("after", b))
            if _losses(half.run.losses)
        ]
    elif lost := _losses(a.run.losses):
        differences.append(f"since attaching: {lost}")
    views = []
    others = {view.name: view for view in b.run.views}
    for view in a.run.views:
        other = others.pop(view.name, None)
        reason = _reason(view, other)
        group = next((each for each in groupings(view) if each.dimension == by or each.title == by), None)
        found = None if reason else compare(a, b, view, group)
        if found is not None:
            views.append(found)
        else:
            differences.append(f"{inert(view.title)}: not compared, {reason or 'nothing was read in one of the spans'}")
    differences += [f"{inert(view.title)}: not compared, only after" for view in others.values()]
    return RunComparison(a.run.probe, a.run, b.run, differences, views)


def _reason(view: ViewInfo, other: ViewInfo | None) -> str:
    """Why a view can't be compared."""
    if other is None:
        return "only before"
    if not comparable(view) or not comparable(other):
        return "it holds call stacks" if view.show == "stacks" else "it counts nothing"
    same = [(each.show, each.unit, each.by, each.slot, each.count, _fields(each)) for each in (view, other)]
    return "" if same[0] == same[1] else "its columns differ"


def _fields(view: ViewInfo) -> list[tuple[str, str, str, str | None]]:
    return [(column.field, column.unit, column.role, column.decode) for column in view.columns]


def _params(run: Run) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(run.params.items())) or "none"


def _losses(losses: Losses) -> str:
    words = {"lost": losses.lost, "map full": losses.map_full, "evicted": losses.evicted, "missed": losses.missed}
    return ", ".join(f"{what} {count}" for what, count in words.items() if count)
