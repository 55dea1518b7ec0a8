"""What stands out in a recording, or in what was just traced: findings, each with its evidence."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ebpftop.frames.messages import Losses, ProbeInfo
from ebpftop.model.dimensions import HOST
from ebpftop.model.machines import Gap, within
from ebpftop.model.one_process import PID
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.triage.judging import LEVEL, Machine, Sign, judged
from ebpftop.model.triage.measures import HARM, SECOND, measures
from ebpftop.stats import formatting

Confidence = Literal["high", "medium", "low"]
_LEVELS: tuple[Confidence, ...] = ("low", "medium", "high")
_CLEAR = 10.0  # times as much as before: one view is enough
_SHORT = 15  # steps
_BEGINNING = 1 / 3  # of a recording, in which probes are loaded
_NAME, _PARAM = (
    re.compile(r"[a-z0-9][a-z0-9/_-]{0,80}"),
    re.compile(r"\w{1,40}", re.ASCII),
)  # what a shell takes as it is
_HOST = re.compile(r"(?!-)[\w.:@-]{1,80}", re.ASCII)
_MORE = 2  # probes that would tell more
_TOGETHER = 0.5  # of the longer one, that both have in common


@dataclass(frozen=True, slots=True)
class Next:
    """A probe that would tell more. params: narrow it to the subject of the finding. host: its host, if there are
    several.
    """

    probe: str
    question: str
    params: Mapping[str, str]
    host: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """signs: the evidence, the cause first, or what is closest to it. why: reasons for a lower confidence."""

    resource: str
    signs: Sequence[Sign]
    confidence: Confidence
    why: Sequence[str]
    more: Sequence[Next]


@dataclass(frozen=True, slots=True)
class Verdict:
    """findings: the most important first; empty if nothing stands out, and then `confidence` is that of this statement.

    began_ns, ended_ns: realtime of the first and the last sample. ahead: realtime minus monotonic ns. losses: a line
    for each probe that lost something. missing: probes that were not there all the time, and why.
    """

    findings: Sequence[Finding]
    confidence: Confidence
    why: Sequence[str]
    began_ns: int
    ended_ns: int
    ahead: int
    probes: Sequence[str]
    losses: Mapping[str, Losses]
    missing: Mapping[str, str]


def verdict(session: Session) -> Verdict | None:
    """The verdict on everything in a session; None without a sample."""
    runs = [run for run in session.runs.values() if run.loaded is not None and run.last is not None]
    newest, reach = session.newest, session.reach
    if newest is None or reach is None:
        return None
    ahead = newest.realtime_ns - newest.monotonic_ns
    until = [run.attached_until for run in runs if run.attached_until is not None]
    running = any(run.state == "running" for run in runs)
    reach = Span(_loaded(runs, reach), reach.end if running else max(until, default=reach.end))
    found = list(measures(runs, session.loads, session.processes, ahead, reach))
    machine = Machine(max(1, session.hello.cpus if session.hello else 1), session.processes)
    harms = sum(each.meaning in HARM for each in found)  # work is told only where it explains harm that was found
    judgements = (judged(each, LEVEL / harms if each.meaning in HARM else LEVEL, machine) for each in found)
    signs = [sign for sign in judgements if sign is not None]
    losses = {run.probe: run.losses for run in runs if run.losses != Losses()}
    missing = {run.probe: run.stopped for run in runs if run.stopped}
    missing |= {run.probe: run.failure.headline for run in session.runs.values() if run.failure is not None}
    sampled = [len(each.ends) for each in found if each.view is not None and each.view.show != "events"]
    steps = max(sampled or [len(each.ends) for each in found], default=0)
    away = _away(within(session.machines.gaps, reach.start + ahead, reach.end + ahead))
    doubts = [*_short(steps, reach.seconds), *_lost(losses), *away]
    doubts += [f"{probe} is missing" for probe in missing]
    return Verdict(
        findings=[_finding(group, losses, steps, reach.seconds, session, away) for group in _groups(signs)],
        confidence=_confidence(doubts) if steps >= _SHORT // 2 else "low",
        why=doubts,
        began_ns=reach.start + ahead,
        ended_ns=reach.end + ahead,
        ahead=ahead,
        probes=[run.probe for run in runs],
        losses=losses,
        missing=missing,
    )


def _loaded(runs: Sequence[Run], reach: Span) -> int:
    """When all probes of the beginning were loaded (monotonic ns), because loading itself takes CPU time."""
    first = reach.start + round(_BEGINNING * (reach.end - reach.start))
    return max((run.began_ns for run in runs if run.began_ns <= first), default=reach.start)


def _groups(signs: Sequence[Sign]) -> Iterator[list[Sign]]:
    """The harm in groups, each preceded by the work that explains it; the most important first.
    Work alone is no harm.
    """
    harm: defaultdict[tuple[str, str], list[Sign]] = defaultdict(list)
    for sign in signs:
        if sign.measure.meaning in HARM:
            harm[sign.measure.resource, _kind(sign)].append(sign)
    for (resource, kind), group in sorted(harm.items(), key=lambda each: -max(sign.weight for sign in each[1])):
        group.sort(key=lambda sign: -sign.weight)
        work = [each for each in signs if each.measure.meaning == "work" and each.measure.resource == resource]
        explains = [
            each
            for each in work
            if (kind == "waits" or _is_fatal(group)) and any(_together(each, other) for other in group)
        ]
        yield [*sorted(explains, key=lambda sign: -sign.ratio), *group]


def _is_fatal(group: Sequence[Sign]) -> bool:
    return any(sign.measure.meaning == "fatal" for sign in group)


def _kind(sign: Sign) -> str:
    match sign.measure.meaning:
        case "idle":
            return "locks"
        case "trouble" | "fatal" | "failures":
            return "failures"
    return "waits"


def _together(one: Sign, other: Sign) -> bool:
    """Whether both lasted for about the same time."""
    ends = [each.measure.ends[each.stop - 1] for each in (one, other)]
    shared = min(ends) - max(one.began_ns, other.began_ns)
    lengths = [end - each.began_ns for end, each in zip(ends, (one, other), strict=True)]
    return bool(shared >= _TOGETHER * max(lengths))


def _finding(
    signs: list[Sign],
    losses: Mapping[str, Losses],
    steps: int,
    seconds: float,
    session: Session,
    away: Sequence[str],
) -> Finding:
    probes = {sign.measure.run.probe for sign in signs if sign.measure.run is not None}
    doubts = [*_short(steps, seconds), *_lost({name: lost for name, lost in losses.items() if name in probes}), *away]
    if all(sign.before is None for sign in signs):
        doubts.append("it was like this all the time: there is nothing to compare with")
    elif len(signs) == 1 and signs[0].ratio < _CLEAR:
        doubts.append("only one view shows it")
    more = list(_more(signs, session))
    return Finding(signs[0].measure.resource, signs, _confidence(doubts), doubts, more)


def _confidence(doubts: Sequence[str]) -> Confidence:
    return _LEVELS[max(0, 2 - len(doubts))]


def _short(steps: int, seconds: float) -> list[str]:
    if steps >= _SHORT:
        return []
    return [f"{formatting.duration(seconds * SECOND)} is short: {formatting.plural(steps, 'step')}"]


def _lost(losses: Mapping[str, Losses]) -> list[str]:
    """The losses in words, one line per probe."""
    found = []
    for probe, lost in losses.items():
        words = {"lost": lost.lost, "map full": lost.map_full, "evicted": lost.evicted, "missed": lost.missed}
        found.append(f"{probe}: " + ", ".join(f"{name} {formatting.count(n)}" for name, n in words.items() if n))
    return found


def _away(gaps: Sequence[Gap]) -> list[str]:
    """One line: when nothing came from hosts; none if all were there all the time."""
    more = f", and {formatting.plural(len(gaps) - 1, 'more gap')}" if len(gaps) > 1 else ""
    return [f"{gap}{more}" for gap in gaps[:1]]


def _more(signs: Sequence[Sign], session: Session) -> Iterator[Next]:
    """The probes named as `next` by these manifests that didn't run."""
    ran = {run.probe for run in session.runs.values() if run.last is not None}
    known = {probe.id: probe for probe in session.catalog.probes} if session.catalog else {}
    named_by = next((sign for sign in signs if sign.who and sign.who.process), signs[0])
    who = named_by.who.process if named_by.who else None
    host = dict(named_by.common).get(HOST, "") if session.machines.several else ""
    named: dict[str, ProbeInfo] = {}
    for sign in signs:
        info = known.get(sign.measure.run.probe) if sign.measure.run else None
        for name in info.next if info else ():
            if _NAME.fullmatch(name) and name not in ran and name in known and known[name].available is not False:
                named.setdefault(name, known[name])
    for probe in [*named.values()][:_MORE]:
        param = next((each.name for each in probe.params if each.type == PID and _PARAM.fullmatch(each.name)), "")
        alive = who is not None and who.ended_ns is None and (host or not session.machines.several)
        params = {param: str(who.tgid)} if param and alive and who else {}
        yield Next(probe.id, probe.question, params, host if _HOST.fullmatch(host) else "")
