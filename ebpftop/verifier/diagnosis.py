"""One program's log explained: what was refused, where, what the verifier knew there, and where that came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ebpftop.verifier import loaders, log, rules
from ebpftop.verifier.chain import trace
from ebpftop.verifier.instruction import SHOWN, Instruction, decode
from ebpftop.verifier.loop import turn
from ebpftop.verifier.registers import is_state, known_before, read
from ebpftop.verifier.report import Event, Report
from ebpftop.verifier.rules.model import NOTHING, Held, Kind
from ebpftop.verifier.source import LONGEST, Place, Quotes, Source
from ebpftop.verifier.step import Step
from ebpftop.verifier.taken import can_be_taken
from ebpftop.verifier.values import describe, value

_REGISTER = re.compile(r"\bR(1?\d)\b")
_ONLY_A_NUMBER = re.compile(r"(R\d+) (?:invalid mem access '|type=)(scalar|inv)\b")
_PROGRAM = re.compile(r"\bprog(?:ram)? '?([\w.]+)'?: ")
_LOOKED_AT = 200  # lines at each end of a text that is no log
_ALLOCATED = re.compile(r"\balloc_insn=(\d{1,9})")
# Complaints about how far a pointer was moved, or how large a size may be.
_ABOUT_BOUNDS = re.compile(
    r"value_size|mem_size|outside of|math between|unbounded|variable|min value|max value"
    r"|invalid access to (?:packet|map|mem)"
)
# Stands behind what is wrong with an argument, which the function's prototype asks for.
_OF_GLOBAL_CALL = "Caller passes invalid args into func#"
_OF_LOOPS = ("unbounded_loop", "insn_limit")
# What is refused doesn't depend on what a register holds.
_OF_NO_REGISTER = ("unknown_func", "privilege", "stack_too_large", "btf", "sleepable", "lock", "irq", "unsupported")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """kind: one of the rules' kinds; "unknown" for a complaint that none knows, "none" where the log holds none; the
    stage of a load that failed before or after the verifier.

    message: the verifier's own line. insn: counted from 0 over the whole program. explanation: sentences. fix: C, or
    the kernel's own suggestion, None where none is known. registers: what it knew of those involved, by "r0". chain:
    oldest first; its last step is the refused instruction. known: whether the explanation is one of the failure.
    """

    kind: Kind | Literal["unknown", "none", "compile", "fit", "attach", "load"]
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

    @property
    def failed(self) -> bool:
        return self.kind != "none"

    @property
    def words(self) -> str:
        """The explanation and below it the fix, indented, as one text; "" where there is none."""
        fix = self.fix.splitlines() if self.fix else []
        return "\n".join([self.explanation, *(f"    {line}" for line in fix)]) if self.explanation else ""


def diagnose(
    lines: list[str], source: Source | None = None, *, program: str = "", cut: bool = False, ended: bool = False
) -> Diagnosis | None:
    """Explain a log, given as the kernel's own lines (see `wrapping`); None for text that is no log and of which no
    line is a complaint that the rules know.

    program: its name, where it is known. cut: the beginning of the log is missing. ended: its end is there.
    """
    parsed = log.read(lines)
    program = program or named(lines)
    told = parsed.last is not None or parsed.report or parsed.processed is not None or ended
    if not (told or any(log.BEGINS in line or is_state(line) for line in lines)):
        return _without_log(lines, program)
    if not parsed.error:
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
    if was := _taken(chain, known, held):
        message, recognised = _recognise(parsed, place, known, was)
    explanation, fix = "", None
    if recognised:
        explanation, fix = recognised.explanation, recognised.fix
    elif parsed.report:
        explanation, fix = parsed.report.reason, parsed.report.suggestion or None
    return Diagnosis(
        kind=recognised.kind if recognised else "other" if explanation else "unknown",
        message=message,
        insn=parsed.insn,
        source=place,
        explanation=explanation or "ebpftop doesn't know this complaint.",
        fix=fix,
        registers={name.lower(): _told(held[name]) for name in involved if name in held},
        chain=chain,
        report=parsed.report,
        program=program,
        known=bool(explanation),
    )


def named(lines: Sequence[str]) -> str:
    """The program's name as its loader tells it at the beginning, "" if it doesn't; what it says of another program
    may stand before.
    """
    return next((match[1] for line in lines[_LOOKED_AT - 1 :: -1] if (match := _PROGRAM.search(line))), "")


def _recognise(
    parsed: log.Parsed, place: Place | None, known: dict[str, str], was: Held = NOTHING
) -> tuple[str, rules.Recognised | None]:
    """The first of the kernel's remarks that is known, and what it means; else the first."""
    quoted = place.text[:LONGEST] if place else ""
    of_call = next((remark for remark in parsed.remarks if remark.startswith(_OF_GLOBAL_CALL)), "")
    for remark in parsed.remarks:
        register = _REGISTER.search(remark)
        held = replace(was, now=known.get(register[0], "") if register else "")
        if found := rules.recognise(remark, parsed.insn_text, quoted, held):
            return remark, rules.recognise(of_call) or found
    return parsed.error, None


def _without_log(lines: Sequence[str], program: str) -> Diagnosis | None:
    """What a loader says of a program or a map the verifier never looked at, or the complaint alone."""
    for line in [*lines[:_LOOKED_AT], *lines[_LOOKED_AT:][-_LOOKED_AT:]]:
        for text in (line.strip(), line.rpartition(": ")[2].strip()):
            if text and (found := rules.recognise(text)):
                return Diagnosis(found.kind, text, log.named(text), None, found.explanation, found.fix, program=program)
    for line in lines[:_LOOKED_AT]:
        if said := loaders.recognise(line):
            message, meaning = said
            if meaning is None:
                return Diagnosis(
                    "unknown", message, None, None, loaders.MISSING_LOG, None, program=program, known=False
                )
            return Diagnosis(meaning.kind, message, None, None, meaning.explanation, meaning.fix, program=program)
    return None


def _nothing(parsed: log.Parsed, program: str) -> Diagnosis:
    if parsed.processed:
        said = (
            f"The log holds no complaint: the verifier looked at {parsed.processed:,} instructions and accepted them."
        )
    elif parsed.last is None:
        said = "The log is empty, or ends before its first instruction."
    else:
        said = f"The log ends at instruction {parsed.last} without a complaint: its end is missing."
    return Diagnosis("none", "", None, None, said, None, program=program, known=False)


def _place(parsed: log.Parsed, quotes: Quotes) -> Place | None:
    at = parsed.report.at if parsed.report else None
    if at and at.line is not None:
        return quotes.quote(Place(at.file, at.line, at.source))
    if parsed.log_line is None or (parsed.insn is not None and not parsed.insn_text):
        return None
    return quotes.at(parsed.log_line)


def _known(parsed: log.Parsed) -> dict[str, str]:
    """What was known before the refused instruction; some complaints come with it."""
    if parsed.log_line is None:
        return {}
    known = known_before(parsed.lines, parsed.log_line)
    for line in parsed.lines[parsed.log_line + 1 : parsed.error_line]:
        if is_state(line) and not line.lstrip().startswith("from "):
            known |= read(line)
    return known


def _as_complained(known: dict[str, str], message: str) -> dict[str, str]:
    """What is known, where the complaint knows better: of a pointer that a call took away, states need not tell."""
    match = _ONLY_A_NUMBER.match(message)
    if match and value(known.get(match[1], "0")).kind != "scalar":
        return known | {match[1]: match[2]}
    return known


def _taken(chain: list[Step], known: dict[str, str], held: dict[str, str]) -> Held | None:
    """What a call took away of what the complaint is about."""
    for step in chain:
        if step.took:
            return Held(was=step.took, taker=decode(step.text).callee.partition("#")[0])
    stale = (known[name] for name in known if known[name] != held[name])
    return next((Held(was=was) for was in stale if can_be_taken(was)), None)


def _involved(remarks: Sequence[str], does: Instruction | None) -> list[str]:
    """The registers the complaint and what is said below it name, then those the instruction needs."""
    named = [f"R{number}" for remark in remarks for number in _REGISTER.findall(remark)]
    used = list(does.uses) if does else []
    if does and does.op == "call" and not named:
        used = ["R1", "R2", "R3", "R4", "R5"]
    if does and does.op == "exit":
        used = ["R0"]
    return list(dict.fromkeys(named + used))


def _told(text: str) -> str:
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
    if kind in _OF_LOOPS:
        return turn(parsed.lines, parsed.log_line, quotes)
    if allocated := _ALLOCATED.search(message):
        steps, target = _allocated(parsed, int(allocated[1])), ""
    elif kind in _OF_NO_REGISTER:
        target = ""
    elif target and target != "R10":
        steps = trace(parsed.lines, parsed.log_line, target, quotes, cut=cut, offset=about_bounds)
    why = _last(target, known.get(target, ""), unreadable="!read_ok" in message, about_bounds=about_bounds)
    return [*steps, Step(parsed.insn, does.text, why, quotes.at(parsed.log_line))]


def _culprit(kind: str, involved: list[str], does: Instruction, known: dict[str, str], about_bounds: bool) -> str:
    """The register to follow: the first, but where a pointer is moved too far, the one it is moved by, and where a map
    is of the wrong type, the map.
    """
    if kind == "map_type":
        return next((name for name in involved if value(known.get(name, "")).kind == "map_ptr"), "")
    if about_bounds and does.op == "arithmetic" and does.source.startswith("R"):
        return does.source
    return involved[0] if involved else ""


def _allocated(parsed: log.Parsed, insn: int) -> list[Step]:
    """Where a reference was taken that is not given back."""
    for line in reversed(parsed.lines):
        if line.lstrip().startswith(f"{insn}: (") and (shown := SHOWN.match(line)):
            return [Step(insn, decode(shown[2]).text, "here the program takes what it has to give back")]
    return []


def _last(target: str, held: str, *, unreadable: bool, about_bounds: bool) -> str:
    """Why the verifier stops at the refused instruction, as far as it shows in the register followed."""
    if not target or not held:
        return f"refused here: {target} has no value" if target and unreadable else "refused here"
    read = value(held)
    why = f"refused here: {target} is {describe(held)}"
    if read.maybe_null:
        return why + ", and no branch on this path checks it"
    if read.kind == "scalar" and about_bounds and not read.bounded:
        return why + ", and no check on this path bounds it"
    return why


def _event(event: Event) -> Step:
    return Step(event.insn, event.text.partition(") ")[2] or event.source, event.said)
