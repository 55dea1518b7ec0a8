"""Explains one program's log: what was rejected, where, what the verifier knew there, and how it came to that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ebpftop.verifier import age, loaders, log, rules
from ebpftop.verifier.chain import IS_CONTEXT, trace
from ebpftop.verifier.instruction import SHOWN, Instruction, decode
from ebpftop.verifier.loaders import notes, relocations
from ebpftop.verifier.loop import turn
from ebpftop.verifier.path import in_called
from ebpftop.verifier.program import named, named_in
from ebpftop.verifier.registers import is_state, known_before, read, tracks
from ebpftop.verifier.report import Event, Report
from ebpftop.verifier.rules.model import NOTHING, Fault, Held, Kind
from ebpftop.verifier.source import LONGEST, Place, Quotes, Source
from ebpftop.verifier.step import Step
from ebpftop.verifier.taken import can_be_taken
from ebpftop.verifier.values import describe, value

_REGISTER = re.compile(r"\bR(1?\d)\b")
_ONLY_A_NUMBER = re.compile(r"(R\d+) (?:invalid mem access '|type=)(scalar|inv)\b")
_PACKET = re.compile(r"invalid access to packet, .*, (R\d+)\((id=\d+),off=-?\d+,(r=\d+)\)")
_R = re.compile(r"\br=\d+")
_WHAT_IS_WRONG = re.compile(r"expected (?:un)?initialized ")  # more specific than the line above it
_MOST_SUFFIXES = 6
_ALLOCATED = re.compile(r"\balloc_insn=(\d{1,9})")
# Messages about how far a pointer was moved, or how large a size may be.
_ABOUT_BOUNDS = re.compile(
    r"value_size|mem_size|outside of|math between|unbounded|variable|min value|max value"
    r"|invalid access to (?:packet|map|mem)"
)
_TYPE = re.compile(r"\[\d+\] ")  # in the program's type information
_LOOPS = ("unbounded_loop", "insn_limit")
# Kinds of failures that don't depend on the value of a register.
_WITHOUT_REGISTER = ("unknown_func", "privilege", "stack_too_large", "btf", "sleepable", "lock", "irq", "unsupported")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """kind: one of the rules' kinds; "unknown" if no rule knows the message, "none" if the log contains no message; or
    the stage of a load that failed before or after verification.

    message: the verifier's own line. insn: counted from 0 over the whole program. explanation: sentences. fix: C, or
    the kernel's own suggestion; None if none is known. registers: what the verifier knew about those involved, by name
    ("r0"). chain: oldest first; its last step is the rejected instruction. known: whether the explanation is about this
    failure. kernel: the versions with the log's syntax, "" if it doesn't show them.
    """

    kind: Kind | Literal["unknown", "none", "compile", "fit", "limit", "attach", "load"]
    message: str
    insn: int | None
    source: Place | None
    explanation: str
    fix: str | None
    registers: dict[str, str] = field(default_factory=dict)
    chain: list[Step] = field(default_factory=list)
    report: Report | None = None
    program: str = ""
    known: bool = True
    fault: Fault = "unknown"
    kernel: str = ""

    @property
    def failed(self) -> bool:
        return self.kind != "none"

    @property
    def words(self) -> str:
        """The explanation, and below it the fix, indented; "" if the failure isn't known."""
        fix = self.fix.splitlines() if self.fix else []
        return "\n".join([self.explanation, *(f"    {line}" for line in fix)]) if self.explanation else ""


def diagnose(
    lines: list[str], source: Source | None = None, *, program: str = "", cut: bool = False, ended: bool = False
) -> Diagnosis | None:
    """Explain a log, given as the kernel's own lines (see `wrapping`); None for text that isn't a log and contains no
    message that the rules know.

    program: its name, if known. cut: the beginning of the log is missing. ended: its end is there.
    """
    parsed = log.read(lines)
    program = program or named(lines)
    is_log = parsed.last is not None or parsed.report or parsed.processed is not None or ended
    if not (is_log or any(log.begins(line) or is_state(line) for line in lines)):
        return _without_log(lines, program)
    if not parsed.error:
        failure = loaders.failed(lines)
        if failure and not (parsed.processed and failure.meaning.kind == "unknown"):
            return _of_loader(failure, program, parsed)
        return _nothing(parsed, program)
    quotes = Quotes(lines, source)
    shown = SHOWN.match(parsed.insn_text)
    does = decode(shown[2]) if shown else None
    place = _place(parsed, quotes)
    known = _known(parsed) if shown else {}
    message, recognised = _recognise(parsed, place, known)
    involved = _involved((message, *parsed.remarks), does)
    held = _as_complained(known, message)
    chain = _chain(parsed, recognised.kind if recognised else "", message, involved, does, held, quotes, cut)
    if was := _taken(chain, known, held) or _checked(chain) or _moved(chain):
        message, recognised = _recognise(parsed, place, known, was)
    if recognised is None and (failure := loaders.failed(lines)) and failure.meaning.decides:
        return _of_loader(failure, program, parsed)
    explanation, fix = "", None
    if recognised:
        lost = [step.lost for step in chain if step.lost]
        if "CO-RE" in recognised.explanation and (
            lacks := relocations.unmatched(lines[: loaders.LOOKED_AT], parsed.insn)
        ):
            lost.append(f"The loader names it: `{lacks}`.")
        explanation = " ".join([recognised.explanation, *dict.fromkeys(lost)])
        fix = recognised.fix
    elif parsed.report:
        explanation, fix = parsed.report.reason, parsed.report.suggestion or None
    faults = [step.fault for step in chain if step.lost]
    return Diagnosis(
        kind=recognised.kind if recognised else "other" if explanation else "unknown",
        message=message,
        insn=log.named(message) if parsed.insn is None else parsed.insn,
        source=place,
        explanation=explanation or "ebpftop doesn't know this message.",
        fix=fix,
        registers={name.lower(): _in_words(held[name]) for name in involved if name in held},
        chain=chain,
        report=parsed.report,
        program=program,
        known=bool(explanation),
        fault=faults[0] if recognised and faults else recognised.fault if recognised else "unknown",
        kernel=str(age.of(parsed.lines)),
    )


def _recognise(
    parsed: log.Parsed, place: Place | None, known: dict[str, str], was: Held = NOTHING
) -> tuple[str, rules.Recognised | None]:
    """The first of the kernel's remarks that a rule knows, and its meaning; else the first remark and None."""
    quoted = place.text[:LONGEST] if place else ""
    of_call = next((remark for remark in parsed.remarks if remark.startswith(log.OF_GLOBAL_CALL)), "")
    shown = SHOWN.match(parsed.insn_text)
    base = decode(shown[2]).base if shown else ""
    called = parsed.log_line is not None and in_called(parsed.lines, parsed.log_line)
    named = next((match[0] for remark in parsed.remarks if (match := _REGISTER.search(remark))), base)
    for remark in _readings(parsed.remarks):
        register = _REGISTER.search(remark)
        held = replace(was, now=known.get(register[0] if register else named, ""), called=called)
        if found := rules.recognise(remark, parsed.insn_text, quoted, held):
            return remark, (rules.recognise(of_call) if of_call else None) or found
    return parsed.error, None


def _readings(remarks: Sequence[str]) -> Iterator[str]:
    """Each remark, alone and joined with the next one, since a terminal may have wrapped it."""
    for number, remark in enumerate(remarks):
        below = remarks[number + 1] if number + 1 < len(remarks) else ""
        if below and _WHAT_IS_WRONG.match(below):
            yield f"{remark}; {below}"
            yield below
        if remark.count("'") % 2 and below.count("'") % 2:
            yield f"{remark} {below}"
        yield remark
        if below:
            yield f"{remark} {below}"
            yield f"{remark}{below}"


def _without_log(lines: Sequence[str], program: str) -> Diagnosis | None:
    """Explain a loader's message about a program that never reached the verifier, or an error message without its
    log.
    """
    if failure := loaders.lacks(lines):
        return _of_loader(failure, program)
    rows = list(loaders.ends(lines))
    for number, line in enumerate(rows):
        for text in _candidates(line, "".join(rows[number + 1 : number + 2])):
            if found := rules.recognise(text, source_text=_quoted_above(rows, number)):
                if _TYPE.match(text) and (failure := loaders.refused(rows[number + 1 :])):  # the loader did without
                    return _of_loader(failure, program)
                return Diagnosis(
                    kind=found.kind,
                    message=text,
                    insn=log.named(text),
                    source=None,
                    explanation=found.explanation,
                    fix=found.fix,
                    program=program or named_in(line),
                    fault=found.fault,
                )
    if failure := loaders.failed(lines):
        return _of_loader(failure, program)
    if any(map(notes.is_optional, lines[: loaders.LOOKED_AT])):
        return Diagnosis("none", "", None, None, notes.EXPLANATION, None, program=program, known=False)
    return None


def _candidates(line: str, below: str) -> Iterator[str]:
    """A line, each part after a colon, and both lines together, since the message may be wrapped."""
    rest = line.strip()
    for _ in range(_MOST_SUFFIXES):
        if rest:
            yield rest
            if below.strip():
                yield f"{rest} {below.strip()}"
        _, colon, rest = rest.partition(": ")
        rest = rest.strip()
        if not colon:
            break


def _quoted_above(lines: Sequence[str], at: int) -> str:
    """The author's line right above an error message that lacks its instruction."""
    above = lines[at - 1].strip() if at else ""
    return above[2:].partition(" @ ")[0] if above.startswith("; ") else ""


def _of_loader(failure: loaders.Failure, program: str, parsed: log.Parsed | None = None) -> Diagnosis:
    """Explain a loader's message, when the verifier's own is missing."""
    meaning = failure.meaning
    return Diagnosis(
        kind=meaning.kind,
        message=failure.message,
        insn=None,
        source=None,
        explanation=meaning.explanation,
        fix=meaning.fix,
        program=program or failure.program,
        known=meaning.kind != "unknown",
        fault=meaning.fault,
        kernel=str(age.of(parsed.lines)) if parsed else "",
    )


def _nothing(parsed: log.Parsed, program: str) -> Diagnosis:
    if parsed.processed:
        explanation = (
            f"The log contains no error: the verifier processed {parsed.processed:,} instructions and accepted them."
        )
    elif parsed.last is None:
        explanation = "The log is empty, or ends before its first instruction."
    else:
        explanation = f"The log ends at instruction {parsed.last} without an error message: its end is missing."
    return Diagnosis("none", "", None, None, explanation, None, program=program, known=False)


def _place(parsed: log.Parsed, quotes: Quotes) -> Place | None:
    at = parsed.report.at if parsed.report else None
    if at and at.line is not None:
        return quotes.quote(Place(at.file, at.line, at.source))
    if parsed.log_line is None or (parsed.insn is not None and not parsed.insn_text):
        return None
    return quotes.at(parsed.log_line)


def _known(parsed: log.Parsed) -> dict[str, str]:
    """What the verifier knew before the rejected instruction; some error messages add to it."""
    if parsed.log_line is None:
        return {}
    known = known_before(parsed.lines, parsed.log_line)
    for number in range(parsed.log_line + 1, parsed.error_line or 0):
        line = parsed.lines[number]
        if is_state(line) and not line.lstrip().startswith("from ") and not tracks(parsed.lines, number):
            known |= read(line)
    return known


def _as_complained(known: dict[str, str], message: str) -> dict[str, str]:
    """What the verifier knew, corrected by the error message: states may not show that a call invalidated a pointer."""
    match = _ONLY_A_NUMBER.match(message)
    if match and value(known.get(match[1], "0")).kind != "scalar":
        return known | {match[1]: match[2]}
    if packet := _PACKET.match(message):  # a check may have been of another register with the same pointer
        name, identity, covered = packet.groups()
        held = known.get(name, "")
        if value(held).kind == "pkt":
            return known | {name: _R.sub(covered, held) if _R.search(held) else f"{held[:-1]},{covered})"}
        return known | {name: f"pkt({identity},{covered})"}
    return known


def _taken(chain: list[Step], known: dict[str, str], held: dict[str, str]) -> Held | None:
    """The pointer in the error message that a call invalidated, if one did."""
    for step in chain:
        if step.took:
            return Held(was=step.took, taker=decode(step.text).callee.partition("#")[0])
    stale = (known[name] for name in known if known[name] != held[name])
    return next((Held(was=was) for was in stale if can_be_taken(was)), None)


def _moved(chain: Sequence[Step]) -> Held | None:
    """The context, if only copies and additions happened to it."""
    if not chain or chain[0].why != IS_CONTEXT:
        return None
    does = {decode(step.text).op for step in chain[1:-1]}
    return Held(moved=True) if "arithmetic" in does and does <= {"move", "arithmetic"} else None


def _checked(chain: Sequence[Step]) -> Held | None:
    """The copy of the pointer that was checked in its place, if there is one."""
    return next((Held(checked=step.checked) for step in chain if step.checked), None)


def _involved(remarks: Sequence[str], does: Instruction | None) -> list[str]:
    """The registers named in the error message and the lines below it, then those that the instruction uses."""
    named = [f"R{number}" for remark in remarks for number in _REGISTER.findall(remark)]
    used = list(does.uses) if does else []
    if does and does.op == "call" and not named:
        used = ["R1", "R2", "R3", "R4", "R5"]
    if does and does.op == "exit":
        used = ["R0"]
    return list(dict.fromkeys(named + used))


def _in_words(text: str) -> str:
    words = describe(text)
    return words if words == text else f"{words} ({text})"


def _chain(
    parsed: log.Parsed,
    kind: str,
    message: str,
    involved: list[str],
    does: Instruction | None,
    known: dict[str, str],
    quotes: Quotes,
    cut: bool,
) -> list[Step]:
    if does is None or parsed.log_line is None:
        return [_event(event) for event in parsed.report.path if event.said] if parsed.report else []
    about_bounds = _ABOUT_BOUNDS.search(message) is not None
    target = _culprit(kind, involved, does, known, about_bounds)
    steps: list[Step] = []
    if kind in _LOOPS:
        return turn(parsed.lines, parsed.log_line, quotes)
    if allocated := _ALLOCATED.search(message):
        steps, target = _allocated(parsed, int(allocated[1])), ""
    elif kind in _WITHOUT_REGISTER:
        target = ""
    elif target and target != "R10":
        steps = trace(
            parsed.lines, parsed.log_line, target, quotes, cut=cut, offset=about_bounds, held=known.get(target, "")
        )
    why = _last(target, known.get(target, ""), unreadable="!read_ok" in message, about_bounds=about_bounds)
    if checked := _checked(steps):
        why = why.replace(
            "no branch on this path checks it", f"what checks it is a branch on its copy {checked.checked}"
        )
    return [*steps, Step(parsed.insn, does.text, why, quotes.at(parsed.log_line))]


def _culprit(kind: str, involved: list[str], does: Instruction, known: dict[str, str], about_bounds: bool) -> str:
    """The register to follow: the first; if a pointer is moved too far, the one it is moved by; if a map has the wrong
    type, the map.
    """
    if kind == "map_type":
        return next((name for name in involved if value(known.get(name, "")).kind == "map_ptr"), "")
    if about_bounds and does.op == "arithmetic" and does.source.startswith("R"):
        return does.source
    return involved[0] if involved else ""


def _allocated(parsed: log.Parsed, insn: int) -> list[Step]:
    """The instruction that acquired a reference which isn't released."""
    for line in reversed(parsed.lines):
        if line.lstrip().startswith(f"{insn}: (") and (shown := SHOWN.match(line)):
            return [Step(insn, decode(shown[2]).text, "here the program acquires what it must release")]
    return []


def _last(target: str, held: str, *, unreadable: bool, about_bounds: bool) -> str:
    """Why the verifier stops at the rejected instruction, as far as the followed register shows."""
    if not target or not held:
        return f"rejected here: {target} has no value" if target and unreadable else "rejected here"
    read = value(held)
    why = f"rejected here: {target} is {describe(held)}"
    if read.maybe_null:
        return why + ", and no branch on this path checks it"
    if read.kind == "scalar" and about_bounds and not read.bounded:
        return why + ", and no check on this path bounds it"
    return why


def _event(event: Event) -> Step:
    return Step(event.insn, event.text.partition(") ")[2] or event.source, event.said)
