"""A diagnosis of a verifier's log as text for a person, and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from ebpftop.catalog.text import inert
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.report import Event
from ebpftop.verifier.source import Place

NARROWEST, WIDEST = 40, 120  # columns of text
PIPED = 100


@dataclass(frozen=True, slots=True)
class Look:
    """width: columns. colour: whether escape sequences may be written."""

    width: int
    colour: bool

    def styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def wrapped(self, text: str, indent: str = "") -> str:
        """The text, inert, over as many lines as it takes."""
        lines = textwrap.wrap(inert(text), max(NARROWEST, self.width - len(indent)), break_on_hyphens=False) or [""]
        return "\n".join(indent + line for line in lines)


def look(stream: TextIO) -> Look:
    """Colour on a terminal, unless NO_COLOR (no-color.org) or TERM say otherwise; plain text everywhere else."""
    if not stream.isatty():
        return Look(PIPED, colour=False)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return Look(min(WIDEST, shutil.get_terminal_size().columns), colour=not plain)


def as_text(diagnosis: Diagnosis, look: Look) -> str:
    """Lines without the last one's end. Whatever the log holds is shown inert."""
    return "\n".join(_lines(diagnosis, look))


def _lines(diagnosis: Diagnosis, look: Look) -> Iterator[str]:
    if not diagnosis.failed:
        yield look.wrapped(diagnosis.explanation)
        return
    yield look.styled(f"✗ {inert(diagnosis.message)}", "1;31")
    if where := _where(diagnosis):
        yield look.styled(f"  {inert(where)}", "2")
    if diagnosis.source and diagnosis.source.text.strip():
        number = "" if diagnosis.source.line is None else str(diagnosis.source.line)
        yield ""
        yield f"{number:>6} ▶ {look.styled(inert(diagnosis.source.text.expandtabs(4)), '1')}"
    yield ""
    yield look.wrapped(diagnosis.explanation)
    if whose := _whose(diagnosis):
        yield look.styled(look.wrapped(whose), "2")
    report = diagnosis.report
    if diagnosis.fix and not (report and diagnosis.fix == report.suggestion):
        yield _title("fix", look)
        yield from (f"  {inert(line.expandtabs(4))}" for line in diagnosis.fix.split("\n"))
    if diagnosis.chain:
        yield _title("what led to it", look)
        yield from _chain(diagnosis, look)
    if diagnosis.registers:
        yield _title("known before it", look)
        for name, told in diagnosis.registers.items():
            yield look.styled(f"{inert(name):>6}", "1") + look.wrapped(told, " " * 8)[6:]
    if report:
        yield _title("the kernel's own words", look)
        for text in (report.title, report.reason, report.suggestion):
            if text and text != diagnosis.explanation:
                yield look.wrapped(text, "  ")


def _title(text: str, look: Look) -> str:
    return "\n" + look.styled(text, "36")


def _where(diagnosis: Diagnosis) -> str:
    place = diagnosis.source
    return " · ".join(
        part
        for part in (
            f"program {diagnosis.program}" if diagnosis.program else "",
            f"instruction {diagnosis.insn}" if diagnosis.insn is not None else "",
            f"{place.file}:{place.line}" if place and place.file and place.line is not None else "",
        )
        if part
    )


_FAULTS = {
    "compiler": "What the compiler made of the program is at fault",
    "kernel": "This kernel is at fault, or too old for the program",
    "loader": "The loader is at fault, or how the program was built",
    "environment": "What the program is loaded in is at fault",
}


def _whose(diagnosis: Diagnosis) -> str:
    """Whose fault it is where it isn't the program's, and how old the kernel is."""
    whose = _FAULTS.get(diagnosis.fault, "")
    if not whose:
        return ""
    return f"{whose}; by its syntax the log is of Linux {diagnosis.kernel}." if diagnosis.kernel else f"{whose}."


def _chain(diagnosis: Diagnosis, look: Look) -> Iterator[str]:
    place: Place | None = None
    for step in diagnosis.chain:
        number = "" if step.insn is None else str(step.insn)
        if step.place and step.place != place:
            place = step.place
            where = "" if place.line is None else f"{place.file}:{place.line}  "
            yield look.styled(f"        ; {inert(where)}{inert(place.text.strip().expandtabs(4))}", "2")
        if step.text:
            yield look.styled(f"{number:>6}  {inert(step.text)}", "1")
        elif number:
            yield f"{number:>6}"
        yield look.wrapped(step.why, " " * 8)


def as_json(diagnosis: Diagnosis) -> str:
    """One line: an object with kind, message, insn, source, explanation, fix, registers, chain, kernel_report, program,
    fault, kernel."""
    return json.dumps(
        {
            "kind": diagnosis.kind,
            "message": diagnosis.message,
            "insn": diagnosis.insn,
            "source": _place(diagnosis.source),
            "explanation": diagnosis.explanation,
            "fix": diagnosis.fix,
            "registers": diagnosis.registers,
            "chain": [{"insn": step.insn, "text": step.text, "why": step.why} for step in diagnosis.chain],
            "kernel_report": _report(diagnosis),
            "program": diagnosis.program,
            "fault": diagnosis.fault,
            "kernel": diagnosis.kernel,
        }
    )


def _place(place: Place | None) -> dict[str, Any] | None:
    return asdict(place) if place else None


def _report(diagnosis: Diagnosis) -> dict[str, Any] | None:
    report = diagnosis.report
    if report is None:
        return None
    return {
        "category": report.category,
        "problem": report.problem,
        "reason": report.reason,
        "at": _event(report.at) if report.at else None,
        "causal_path": [_event(event) for event in report.path],
        "suggestion": report.suggestion,
    }


def _event(event: Event) -> dict[str, Any]:
    return asdict(event)
