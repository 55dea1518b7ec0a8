"""A failed load, explained once for all that show it: the panel, `run`, `check` and `explain`.

Root's processes report only facts (`frames.messages.Failed`). Logs are parsed here, in the unprivileged process that
shows them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Literal

from ebpftop.catalog.csource import CSource
from ebpftop.catalog.numbering import AUTHORS_FILE, FILE, place
from ebpftop.frames.messages import Failed, FailedStage, Tried
from ebpftop.model.origins import Origins
from ebpftop.model.results import RESULTS
from ebpftop.verifier import compiler, lines
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.failures import failures
from ebpftop.verifier.source import Place

Plain = Literal["unknown", "compile", "fit", "limit", "attach", "load"]  # kinds without a rule
_SEE_OUTPUT = "The C does not compile, so the verifier never saw it. The compiler's whole output is below."
_ENDED = "This says nothing about the program. The output of the compiler and the loader so far is below."


@dataclass(frozen=True, slots=True)
class Failure:
    """For a log from elsewhere, probe is "" and stage None. diagnosis.message: the line that says what is wrong.

    source: the author's line at fault. text: the author's C. log: the verifier's log, with the author's lines quoted in
    it, or the compiler's output. lines: the start of each of the author's lines, as (instruction, line).
    """

    diagnosis: Diagnosis
    probe: str = ""
    stage: FailedStage | None = None
    variant: str | None = None
    function: str | None = None
    source: Place | None = None
    text: str = ""
    log: str = ""
    lines: tuple[tuple[int, int], ...] = ()
    tried: tuple[Tried, ...] = ()

    @property
    def message(self) -> str:
        return self.diagnosis.message

    @property
    def result(self) -> str:
        """The outcome of the load, in words."""
        return RESULTS[self.stage] if self.stage else ""

    @property
    def headline(self) -> str:
        """One line: the probe, the outcome, and the reason."""
        return f"{self.probe}: {self.result}: {self.message}"


def of_log(diagnosis: Diagnosis) -> Failure:
    """The failure in a log from elsewhere."""
    return Failure(diagnosis, source=diagnosis.source)


def explain(probe: str, outcome: Failed) -> Failure:
    """The failure of a load. A log of a million lines takes seconds, so don't call this in a thread that draws."""
    found = {"verify": _of_verifier, "compile": _of_compiler, "load": _of_compiler}.get(outcome.stage, _as_reported)
    failure = found(probe, outcome)
    tried = tuple(
        Tried(variant=one.variant, reason=failure.message) if one.variant == outcome.variant else one
        for one in outcome.tried
    )
    return replace(failure, probe=probe, stage=outcome.stage, variant=outcome.variant, text=outcome.text, tried=tried)


def _of_verifier(probe: str, outcome: Failed) -> Failure:
    file = f"{probe}/{AUTHORS_FILE}"
    origins = Origins(outcome.places, outcome.text, outcome.headers, file)
    log = lines.quote(outcome.log, origins.quotes) if outcome.headers else outcome.log  # an old tape's is quoted
    diagnosis = next(failures(io.BytesIO(log.encode())))
    if not diagnosis.failed:  # a log without a complaint
        diagnosis = _plain("unknown", outcome.error, "")
    at = lines.line_for(dict(origins.lines), diagnosis.insn) if diagnosis.insn is not None else None
    return Failure(
        diagnosis,
        function=outcome.function,
        source=_line(outcome.text, file, at) or diagnosis.source,
        log=log,
        lines=tuple(origins.lines),
    )


def _of_compiler(probe: str, outcome: Failed) -> Failure:
    """The failure in the compiler's output; LLVM may have ended the loader instead of returning an error."""
    errors = (each for each in compiler.parse(outcome.log) if each.severity in ("error", "fatal error"))
    first = next(errors, None)
    if first is None:
        hint = _SEE_OUTPUT if outcome.stage == "compile" else _ENDED
        kind: Literal["compile", "load"] = "compile" if outcome.stage == "compile" else "load"
        return Failure(_plain(kind, outcome.error, hint if outcome.log.strip() else ""), log=outcome.log)
    source = _line(outcome.text, f"{probe}/{AUTHORS_FILE}", _authors_line(outcome, first))
    diagnosis = _plain("compile", first.text, compiler.explain(first.text) or _SEE_OUTPUT)
    return Failure(replace(diagnosis, source=source), source=source, log=outcome.log)


def _as_reported(probe: str, outcome: Failed) -> Failure:
    kind = "unknown" if outcome.stage == "verify" else outcome.stage
    return Failure(_plain(kind, outcome.error, ""), log=outcome.log)


def _plain(
    kind: Literal["unknown", "compile", "fit", "limit", "attach", "load"], message: str, explanation: str
) -> Diagnosis:
    return Diagnosis(kind, message, None, None, explanation, None, known=bool(explanation))


def _authors_line(outcome: Failed, message: compiler.Message) -> int | None:
    """The author's line that a message is about; for a whole function, its first line."""
    found = place(message.line or 0, len(outcome.headers)) if message.file == FILE else None
    if found is not None and found[0] == 0:
        return found[1]
    source = CSource(outcome.text)
    for function in source.functions:
        if function.name == message.function:
            return source.line(max(source.code.rfind(function.name, 0, function.start), 0))
    return None


def _line(text: str, file: str, number: int | None) -> Place | None:
    """The author's line with that number."""
    rows = text.split("\n")
    if number is None or not 0 < number <= len(rows):
        return None
    return Place(file, number, rows[number - 1].rstrip("\r"))
