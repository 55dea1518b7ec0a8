"""A failure as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from ebpftop.base.inert import inert
from ebpftop.base.look import Look
from ebpftop.model.failure import Failure
from ebpftop.verifier.source import Place

_AROUND = 2  # lines of C shown before and after the one that is marked


def as_text(failure: Failure, look: Look, *, title: str = "", log: bool = False) -> str:
    """Lines joined by line ends. title: the first line. log: append the whole log.

    All of it is shown inert.
    """
    lines = [*_lines(failure, look, title or f"✗ {failure.message}")]
    if log and failure.log:
        lines += ["", *(inert(line.expandtabs()) for line in failure.log.splitlines())]
    return "\n".join(line.rstrip() for line in lines)


def _lines(failure: Failure, look: Look, title: str) -> Iterator[str]:
    diagnosis = failure.diagnosis
    if not diagnosis.failed:
        yield look.wrapped(diagnosis.explanation)
        return
    yield look.styled(inert(title), "1;31")
    if where := _where(failure):
        yield look.styled(f"  {inert(where)}", "2")
    if failure.source and failure.source.text.strip():
        yield ""
        yield from _excerpt(failure, failure.source, look)
    if diagnosis.explanation:
        yield ""
        yield look.wrapped(diagnosis.explanation)
    if fault := _fault(failure):
        yield look.styled(look.wrapped(fault), "2")
    report = diagnosis.report
    if diagnosis.fix and not (report and diagnosis.fix == report.suggestion):
        yield _title("fix", look)
        yield from (f"  {inert(line.expandtabs(4))}" for line in diagnosis.fix.split("\n"))
    if diagnosis.chain:
        yield _title("what led to it", look)
        yield from _chain(failure, look)
    if diagnosis.registers:
        yield _title("state before it", look)
        for name, value in diagnosis.registers.items():
            yield look.styled(f"{inert(name):>6}", "1") + look.wrapped(value, " " * 8)[6:]
    if report:
        yield _title("the kernel's own report", look)
        for text in (report.title, report.reason, report.suggestion):
            if text and text != diagnosis.explanation:
                yield look.wrapped(text, "  ")
    others = [one for one in failure.tried if one.variant != failure.variant]
    if others:
        yield _title("other variants", look)
        yield from (look.wrapped(f"{one.variant}: {one.reason}", "  ") for one in others)


def _excerpt(failure: Failure, source: Place, look: Look) -> Iterator[str]:
    """The author's line, with its neighbours if the whole C is known."""
    text = failure.text.splitlines()
    if source.line is None or not 0 < source.line <= len(text):
        number = "" if source.line is None else str(source.line)
        yield f"{number:>6} ▶ {look.styled(inert(source.text.expandtabs(4)), '1')}"
        return
    for at in range(max(1, source.line - _AROUND), min(len(text), source.line + _AROUND) + 1):
        line = inert(text[at - 1].expandtabs(4))
        yield f"{at:>6} ▶ {look.styled(line, '1')}" if at == source.line else f"{at:>6}   {line}"


_FAULTS = {
    "compiler": "The fault lies in what the compiler made of the program",
    "kernel": "The fault lies in this kernel, which may be too old for the program",
    "loader": "The fault lies in the loader, or in how the program was built",
    "environment": "The fault lies in the environment that the program is loaded in",
}


def _fault(failure: Failure) -> str:
    """The source of the fault if it isn't the program, and how old the kernel is."""
    fault, kernel = _FAULTS.get(failure.diagnosis.fault, ""), failure.diagnosis.kernel
    if not fault:
        return ""
    return f"{fault}. The log's syntax is that of Linux {kernel}." if kernel else f"{fault}."


def _title(text: str, look: Look) -> str:
    return "\n" + look.styled(text, "36")


def _where(failure: Failure) -> str:
    diagnosis, source = failure.diagnosis, failure.source
    return " · ".join(
        part
        for part in (
            f"variant {failure.variant}" if len(failure.tried) > 1 else "",
            f"program {diagnosis.program}" if diagnosis.program else "",
            f"function {failure.function}" if failure.function else "",
            f"instruction {diagnosis.insn}" if diagnosis.insn is not None else "",
            f"{source.file}:{source.line}" if source and source.file and source.line is not None else "",
        )
        if part
    )


def _chain(failure: Failure, look: Look) -> Iterator[str]:
    place: Place | None = None
    for step in failure.diagnosis.chain:
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
