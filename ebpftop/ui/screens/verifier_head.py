"""The text at the top of the verifier panel: what is wrong, what to do, and what a save has changed."""

from __future__ import annotations

from textual.content import Content

from ebpftop.frames.messages import Loaded
from ebpftop.model.failure import Failure
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE, RUNNING

BEFORE = "before saving  "


def head_of(failure: Failure, before: Run | None) -> Content:
    """Why it failed; `before` is the run of the previous version, if there was one."""
    diagnosis = failure.diagnosis
    lines = [Content.styled(f"{NOT_HERE} {inert(failure.message)}", "bold $error")]
    if diagnosis.words:
        lines.append(Content("\n").join(Content(inert(line)) for line in diagnosis.words.split("\n")))
    where = []
    if failure.source and failure.source.line is not None:
        where.append(f"{inert(failure.source.file or '')} line {failure.source.line}")
    if failure.function:
        where.append(f"in {inert(failure.function)}")
    if diagnosis.insn is not None:
        where.append(f"instruction {diagnosis.insn}")
    if failure.variant:
        where.append(f"variant {inert(failure.variant)}")
    if where:
        lines.append(Content.styled(" · ".join(where), "$quiet"))
    for tried in failure.tried if len(failure.tried) > 1 else ():
        lines.append(Content.styled(f"{NOT_HERE} {inert(tried.variant)}: {inert(tried.reason)}", "$quiet"))
    if before is not None:
        lines.append(Content.assemble((BEFORE, "$quiet"), _was(before)))
    return Content("\n").join(lines)


def accepted(frame: Loaded, failure: Failure | None) -> Content:
    """The text for a loaded version, after one that failed or ran."""
    how = f"   variant {inert(frame.variant)} · {formatting.count(frame.instructions)} instructions"
    lines = [
        Content.assemble((f"{RUNNING} The kernel accepts the saved version.", "bold $success"), how),
        Content.assemble((BEFORE, "$quiet"), _complaint(failure) if failure else _ran("it ran")),
        Content.styled("Esc shows what it counts.", "$quiet"),
    ]
    return Content("\n").join(lines)


def _was(run: Run) -> Content:
    """One line: the outcome of a version."""
    if run.failure is not None:
        return _complaint(run.failure)
    return _ran("it keeps running" if run.state == "running" else "it ran")


def _ran(how: str) -> Content:
    return Content.assemble((RUNNING, "$success"), f" {how}")


def _complaint(failure: Failure) -> Content:
    source = failure.source
    line = f"line {source.line}: " if source and source.line is not None else ""
    return Content.assemble((NOT_HERE, "$error"), f" {line}{inert(failure.message)}")
