"""The words at the top of the verifier panel: what is wrong and what to do, and what a save has changed."""

from __future__ import annotations

from textual.content import Content

from ebpftop.frames.messages import Loaded, Rejected
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE, RUNNING

BEFORE = "before the save  "


def said_of(frame: Rejected, before: Run | None) -> Content:
    """Why it is rejected; `before` is the run of the version before, where there was one."""
    lines = [Content.styled(f"{NOT_HERE} {inert(frame.error)}", "bold $error")]
    if frame.hint:
        lines.append(Content("\n").join(Content(inert(line)) for line in frame.hint.split("\n")))
    where = []
    if frame.source:
        where.append(f"{inert(frame.source.file)} line {frame.source.line}")
    if frame.function:
        where.append(f"in {inert(frame.function)}")
    if frame.insn is not None:
        where.append(f"instruction {frame.insn}")
    if frame.variant:
        where.append(f"variant {inert(frame.variant)}")
    if where:
        lines.append(Content.styled(" · ".join(where), "$quiet"))
    for tried in frame.tried if len(frame.tried) > 1 else ():
        lines.append(Content.styled(f"{NOT_HERE} {inert(tried.variant)}: {inert(tried.reason)}", "$quiet"))
    if before is not None:
        lines.append(Content.assemble((BEFORE, "$quiet"), _was(before)))
    return Content("\n").join(lines)


def accepted(frame: Loaded, rejected: Rejected | None) -> Content:
    """Of a version that is loaded, after one that was rejected, or else ran."""
    how = f"   variant {inert(frame.variant)} · {formatting.count(frame.instructions)} instructions"
    lines = [
        Content.assemble((f"{RUNNING} The kernel accepts it as it was saved.", "bold $success"), how),
        Content.assemble((BEFORE, "$quiet"), _complaint(rejected) if rejected else _ran("it ran")),
        Content.styled("Esc shows what it counts.", "$quiet"),
    ]
    return Content("\n").join(lines)


def _was(run: Run) -> Content:
    """What became of a version, in a line."""
    if run.rejected is not None:
        return _complaint(run.rejected)
    return _ran("it runs on" if run.state == "running" else "it ran")


def _ran(how: str) -> Content:
    return Content.assemble((RUNNING, "$success"), f" {how}")


def _complaint(frame: Rejected) -> Content:
    line = f"line {frame.source.line}: " if frame.source else ""
    return Content.assemble((NOT_HERE, "$error"), f" {line}{inert(frame.error)}")
