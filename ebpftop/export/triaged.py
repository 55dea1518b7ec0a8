"""A verdict as JSON for `ebpftop triage --json`, in at most 4 KiB, and as text to paste into a chat."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from ebpftop.base.inert import inert
from ebpftop.export.hung import Hung, hung
from ebpftop.frames.messages import Hello, Threads
from ebpftop.model.places import STOPPED
from ebpftop.model.triage.judging import Sign
from ebpftop.model.triage.measures import Meaning
from ebpftop.model.triage.verdict import Confidence, Finding, Next, Verdict
from ebpftop.stats import formatting

LIMIT = 4096  # bytes
_TEXT, _SENTENCE = 120, 240  # bytes of a name, and of a measure in words
_EVIDENCE = 6  # of a finding
_WHOLE = 0.6  # of the time: threads are read at the beginning, and once more before the end

_MEANT = {name: f" ({os.strerror(number)})" for number, name in errno.errorcode.items()}  # "ENOSPC": " (No space …)"

Unit = Literal["threads", "CPUs", "bytes/s", "count/s", "percent"]


class Who(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has most of it. pid: of one process; processes: how many have that name. share: of the rise, 0 to 1."""

    name: str
    pid: int | None
    parent: str | None
    container: str | None
    processes: int
    share: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measure. probe, view: null for the kernel's own pressure figures. now, before: rates in `unit`; before is
    null if the rate was the same the whole time. chance: how probable such a rise is by chance alone. text: for people.
    """

    probe: str | None
    view: str | None
    meaning: Meaning
    now: float
    before: float | None
    unit: Unit
    chance: float | None
    since_ns: int
    until_ns: int | None
    who: Who | None
    text: str


class More(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A probe that would tell more, and how to run it."""

    probe: str
    question: str
    command: str


class Found(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding. evidence: the cause first, or what is nearest to it. doubts: what lowers the confidence."""

    resource: str
    cause: str
    since_ns: int
    until_ns: int | None
    confidence: Confidence
    doubts: list[str]
    evidence: list[Evidence]
    more: list[More]


class Triage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `ebpftop triage --json` prints. Times are ns since 1970. hung: threads that make no progress, the worst
    first; null if threads weren't read. cut: how many entries were left out to fit the size limit.
    """

    source: str
    host: str
    kernel: str
    from_ns: int
    to_ns: int
    probes: list[str]
    verdict: Literal["trouble", "nothing stands out"]
    confidence: Confidence
    doubts: list[str]
    findings: list[Found]
    hung: list[Hung] | None
    lost: dict[str, dict[str, int]]
    missing: dict[str, str]
    problem: str | None
    cut: int


def triaged(
    found: Verdict, hello: Hello | None, source: str, problem: str = "", threads: Threads | None = None
) -> Triage:
    """source: the tape's name, or another origin. problem: why the data is incomplete. threads: their last reading."""
    stuck = hung(threads, _brief)
    whole = Triage(
        source=_brief(source),
        host=_brief(hello.host if hello else ""),
        kernel=_brief(hello.kernel if hello else ""),
        from_ns=found.began_ns,
        to_ns=found.ended_ns,
        probes=[_brief(each) for each in found.probes],
        verdict="trouble"
        if found.findings or any(each.state != STOPPED for each in stuck or ())
        else "nothing stands out",
        confidence=found.findings[0].confidence if found.findings else found.confidence,
        doubts=[_brief(each) for each in found.why],
        findings=[_found(each, found.ahead, hello.cpus if hello else 0) for each in found.findings],
        hung=stuck,
        lost={_brief(probe): msgspec.to_builtins(each) for probe, each in found.losses.items()},
        missing={_brief(probe): _brief(each) for probe, each in found.missing.items()},
        problem=_brief(problem) or None,
        cut=0,
    )
    return _fitted(whole)


def _fitted(whole: Triage) -> Triage:
    """The triage with less evidence, then fewer findings, until JSON and text fit."""
    found = whole
    while max(len(encoded(found)), len(as_text(found).encode())) > LIMIT:
        findings = list(found.findings)
        rich = next((n for n in reversed(range(len(findings))) if len(findings[n].evidence) > 1 + (n == 0)), None)
        if rich is not None:
            findings[rich] = replace(findings[rich], evidence=findings[rich].evidence[:-1])
        elif len(findings) > 1:
            findings.pop()
        else:
            return _least(found)
        found = replace(found, findings=findings, cut=found.cut + 1)
    return found


def _least(found: Triage) -> Triage:
    """Only the first finding, however long names are."""
    findings = [replace(each, evidence=each.evidence[:1], doubts=[], more=[]) for each in found.findings[:1]]
    stuck = found.hung and found.hung[:1]
    return replace(found, findings=findings, hung=stuck, probes=[], doubts=[], lost={}, missing={}, cut=found.cut + 1)


def encoded(found: Triage) -> bytes:
    return msgspec.json.encode(found)


def _found(found: Finding, ahead: int, cpus: int) -> Found:
    evidence = [_evidence(sign, ahead, cpus) for sign in found.signs[:_EVIDENCE]]
    first = evidence[0]
    return Found(
        resource=_brief(found.resource),
        cause=first.text,
        since_ns=first.since_ns,
        until_ns=first.until_ns,
        confidence=found.confidence,
        doubts=[_brief(each) for each in found.why],
        evidence=evidence,
        more=[
            More(
                probe=each.probe,
                question=_brief(each.question),
                command=_command(each),
            )
            for each in found.more
        ],
    )


def _command(more: Next) -> str:
    """The command to run; ssh or sudo gives root on the other host."""
    begin = ("ebpftop run --host", more.host) if more.host else ("sudo ebpftop run",)
    return " ".join((*begin, more.probe, *(f"-p {name}={value}" for name, value in more.params.items())))


_UNITS: dict[str, tuple[Unit, float]] = {
    "count": ("count/s", 1.0),
    "ns": ("threads", 1e9),
    "cpu_ns": ("CPUs", 1e9),
    "bytes": ("bytes/s", 1.0),
    "percent": ("percent", 1.0),
}


def _evidence(sign: Sign, ahead: int, cpus: int) -> Evidence:
    measure = sign.measure
    unit, scale = _UNITS.get(measure.unit, _UNITS["count"])
    return Evidence(
        probe=_brief(measure.run.probe) if measure.run else None,
        view=_brief(measure.view.name) if measure.view else None,
        meaning=measure.meaning,
        now=_rounded(sign.now / scale),
        before=None if sign.before is None else _rounded(sign.before / scale),
        unit=unit,
        chance=sign.chance,
        since_ns=sign.began_ns + ahead,
        until_ns=None if sign.ended_ns is None else sign.ended_ns + ahead,
        who=_who(sign),
        text=_brief(_text(sign, scale, cpus), _SENTENCE),
    )


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def _who(sign: Sign) -> Who | None:
    who = sign.who
    if who is None:
        return None
    process = who.process
    return Who(
        name=_brief(who.value),
        pid=process.tgid if process else None,
        parent=_brief(process.parent) if process and process.parent else None,
        container=_brief(process.container) if process and process.container else None,
        processes=who.count,
        share=_rounded(who.share),
    )


def _text(sign: Sign, scale: float, cpus: int) -> str:
    """`hog 4711 (97% of it): CPU time by process, 1.91 of 2 CPUs, before 0.02`. cpus: of the machine, 0 if unknown."""
    measure, who = sign.measure, sign.who
    what = (
        f"{measure.title}, {_rate(sign.now, measure.unit, scale)}{' failed' if measure.meaning == 'failures' else ''}"
    )
    what += (
        ", all the time" if sign.before is None else f", before {_rate(sign.before, measure.unit, scale, short=True)}"
    )
    if measure.meaning == "fatal":
        what = f"{measure.title}, {formatting.plural(round(measure.sum(sign.first, sign.stop)), 'time')}"
    if measure.unit == "cpu_ns" and cpus:
        what = what.replace(" CPUs", f" of {formatting.plural(cpus, 'CPU')}", 1)
    for name, (now, before) in sign.quantiles.items():
        if now and measure.view and name == "p99":
            unit = measure.view.unit
            then = f"{formatting.bounds(*before, unit)} → " if before else ""
            what += f"; {name} {then}{formatting.bounds(*now, unit)}"
    if sign.common:
        what += "; " + ", ".join(f"{title} {value}{_MEANT.get(value, '')}" for title, value in sign.common[:4])
    if who is None:
        return what
    name = f"{who.value} {who.process.tgid}" if who.process else who.value
    name += f", {formatting.plural(who.count, 'processe')}" if who.count > 1 else ""
    return f"{name} ({formatting.percent(100 * who.share)} of it): {what}"


def _rate(rate: float, unit: str, scale: float, *, short: bool = False) -> str:
    match unit:
        case "ns":
            return f"{formatting.count(rate / scale)}{'' if short else ' waiting at a time'}"
        case "cpu_ns":
            return f"{formatting.count(rate / scale)}{'' if short else ' CPUs'}"
        case "percent":
            return f"{formatting.percent(rate)}{'' if short else ' of the time'}"
    return formatting.rate(rate, unit)


def as_text(found: Triage) -> str:
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Triage) -> Iterator[str]:
    length = formatting.duration(found.to_ns - found.from_ns)
    span = f"{formatting.clock(found.from_ns)[:8]} to {formatting.clock(found.to_ns)[:8]} ({length})"
    yield " · ".join(inert(each) for each in ("ebpftop triage", found.source, found.host, found.kernel, span) if each)
    ahead = _is_worst(found)
    if ahead:
        yield from _hung_lines(found)
    if not found.findings:
        what = f"nothing {'else ' * ahead}stands out{' in what the probes count' if found.hung else ''}"
        yield from ("",) * ahead
        yield f"{what} (confidence {found.confidence})"
    for number, each in enumerate(found.findings, 1):
        yield ""
        yield f"{number}. {inert(each.resource)}: {inert(each.cause)}"
        always = each.evidence[0].before is None
        until = f" until {formatting.clock(each.until_ns)[:8]}" if each.until_ns is not None else ""
        after = formatting.duration(max(0, each.since_ns - found.from_ns))
        since = f"{formatting.clock(each.since_ns)[:8]} ({after} after the start)"
        yield f"   {'the whole time' if always else f'since {since}{until}'} · confidence {each.confidence}"
        yield from (f"   · {inert(one.text)}" for one in each.evidence[1:])
        yield from (f"   ? {inert(doubt)}" for doubt in each.doubts)
        yield from (f"   → {inert(one.question)} {inert(one.command)}" for one in each.more)
    if found.hung and not ahead:
        yield from _hung_lines(found)
    if found.findings or found.hung:
        yield ""
    if not found.findings:
        yield from (f"? {inert(doubt)}" for doubt in found.doubts)
    if found.problem:
        yield f"? {inert(found.problem)}"
    missing = "".join(f", without {inert(probe)} ({inert(why)})" for probe, why in found.missing.items())
    lost = (
        "; ".join(f"{inert(probe)} lost {sum(each.values())}" for probe, each in found.lost.items()) or "nothing lost"
    )
    yield f"probes: {', '.join(inert(each.rpartition('/')[2]) for each in found.probes)}{missing}; {lost}"
    if found.cut:
        yield f"… {found.cut} more lines of evidence left out"


def _is_worst(found: Triage) -> bool:
    """Whether the threads that make no progress come first: there are no other findings, or they have waited for the
    whole observed time.
    """
    stuck = [each for each in found.hung or () if each.state != STOPPED]
    whole = _WHOLE * (found.to_ns - found.from_ns)
    return bool(stuck) and (not found.findings or any((each.for_ns or 0) >= whole for each in stuck))


def _hung_lines(found: Triage) -> Iterator[str]:
    yield ""
    yield "threads that make no progress (no probe counts a wait that hasn't ended):"
    yield from (f"   · {inert(each.text)}" for each in found.hung or ())
    yield "   → What does every thread wait for? sudo ebpftop threads"


def _brief(text: str, most: int = _TEXT) -> str:
    """An inert, short text."""
    text = inert(text)
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= most else raw[: most - 3].decode("utf-8", "ignore") + "…"
