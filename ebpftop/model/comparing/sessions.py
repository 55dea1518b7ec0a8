"""Two spans of sessions: which runs and views can be compared, how they differ, and what can't be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Losses, ViewInfo
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.sides import covered, observed
from ebpftop.model.comparing.stacks import StacksComparison, compare_stacks
from ebpftop.model.comparing.view import Question, ViewComparison, ask, comparable
from ebpftop.model.grouping import groupings
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.model.scope import WHOLE, Scope
from ebpftop.model.session import Session

SAME = "both spans are the same"


@dataclass(frozen=True, eq=False, slots=True)
class RunComparison:
    """A probe in both spans. differences: one line for each thing that differs or can't be compared. stacks: its views
    of call stacks; views: all others.
    """

    probe: str
    before: Run
    after: Run
    differences: list[str]
    views: list[ViewComparison]
    stacks: list[StacksComparison]


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """differences: of the machines. only: (probe, 0 or 1) that ran in only one of the spans."""

    differences: list[str]
    runs: list[RunComparison]
    only: list[tuple[str, int]]


def compare_sessions(sessions: tuple[Session, Session], spans: tuple[Span, Span], by: str = "") -> Comparison:
    """Compare a span of each; both sessions may be the same one. by: the dimension that sums rows in views that have
    it.
    """
    pairs = pairs_of(*sessions)
    return answered(pairs, [ask_run(pair, sessions, spans, by) for pair in pairs.runs])


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Comparable runs of two sessions. differences, only: as those of a comparison."""

    differences: list[str]
    runs: list[tuple[Run, Run]]
    only: list[tuple[str, int]]


@dataclass(frozen=True, eq=False, slots=True)
class RunQuestion:
    """The inputs for comparing a run, from two pasts; `answer` reads neither. found: the comparison without its views,
    which come from `questions`. None if the run has samples in only one of the spans, or in none: `only`, of 0 and 1.
    """

    found: RunComparison | None
    questions: list[Question]
    only: list[tuple[str, int]]

    def answer(self) -> RunComparison | None:
        return self.found and replace(self.found, views=[each.answer() for each in self.questions])


def pairs_of(a: Session, b: Session) -> Pairs:
    """Runs of the same probe, with the same parameters if possible."""
    runs, only = _pairs(a, b)
    return Pairs(_machines(a, b), runs, only)


def ask_run(
    pair: tuple[Run, Run],
    sessions: tuple[Session, Session],
    spans: tuple[Span, Span],
    by: str = "",
    scope: Scope = WHOLE,
) -> RunQuestion:
    """One of the `pairs_of` these sessions, in a span of each: the selected rows, summed according to the aspects of
    its views.
    """
    before, after = pair
    a, b = (
        Half(run, span, session.processes, session.hello)
        for run, span, session in zip(pair, spans, sessions, strict=True)
    )
    attached = _attached(a), _attached(b)
    if before is after and not all(attached):
        return RunQuestion(None, [], [(before.probe, side) for side in (0, 1) if attached[side]])
    return _ask(a, b, by, scope)


def answered(pairs: Pairs, questions: Iterable[RunQuestion]) -> Comparison:
    """The comparison, from the questions about all pairs."""
    runs, only = [], [*pairs.only]
    for each in questions:
        only += each.only
        if (found := each.answer()) is not None:
            runs.append(found)
    return Comparison(pairs.differences, runs, only)


def _attached(half: Half) -> bool:
    """Whether a run has a sample in its span."""
    if half.run.pasts:
        return any(len(past.times(half.span)) for past in half.run.pasts.values())
    return any(observed(half, view) for view in half.run.views)


def _pairs(a: Session, b: Session) -> tuple[list[tuple[Run, Run]], list[tuple[str, int]]]:
    """The pairs, and the runs left over."""
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


def _ask(a: Half, b: Half, by: str, scope: Scope) -> RunQuestion:
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
    views: list[Question] = []
    stacks: list[StacksComparison] = []
    others = {view.name: view for view in b.run.views}
    for view in a.run.views:
        reason, halves = _reason(view, others.pop(view.name, None)), _halves(a, b, view)
        if not reason and halves is None:
            reason = "one of the spans has no samples"
        if not reason and halves and a.run is b.run and halves[0].span == halves[1].span:
            reason = SAME
        if reason or halves is None:
            differences.append(f"{inert(view.title)}: not compared, {reason}")
        elif view.show == "stacks":
            stacks += filter(None, [compare_stacks(*halves, view, scope.selection)])
        else:
            group = next((each for each in groupings(view) if each.dimension == by or each.title == by), None)
            views += filter(None, [ask(*halves, view, scope.selection, scope.of(b.run, view).by or group)])
    differences += [f"{inert(view.title)}: not compared, only after" for view in others.values()]
    return RunQuestion(RunComparison(a.run.probe, a.run, b.run, differences, [], stacks), views, [])


def _halves(a: Half, b: Half, view: ViewInfo) -> tuple[Half, Half] | None:
    """The halves, with what a view has of each span; None if it has nothing of one."""
    before, after = covered(a.run, view, a.span), covered(b.run, view, b.span)
    return (replace(a, span=before), replace(b, span=after)) if before and after else None


def _reason(view: ViewInfo, other: ViewInfo | None) -> str:
    """Why a view can't be compared."""
    if other is None:
        return "only before"
    if view.show != "stacks" and not (comparable(view) and comparable(other)):
        return "it counts nothing"
    same = [(each.show, each.unit, each.by, each.slot, each.count, _fields(each)) for each in (view, other)]
    return "" if same[0] == same[1] else "its columns differ"


def _fields(view: ViewInfo) -> list[tuple[str, str, str, str | None]]:
    return [(column.field, column.unit, column.role, column.decode) for column in view.columns]


def _params(run: Run) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(run.params.items())) or "none"


def _losses(losses: Losses) -> str:
    words = {"lost": losses.lost, "map full": losses.map_full, "evicted": losses.evicted, "missed": losses.missed}
    return ", ".join(f"{what} {count}" for what, count in words.items() if count)
