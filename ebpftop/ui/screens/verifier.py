"""Why a load failed: the error, what it means, the author's line, and the whole log beside it."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.frames.messages import Loaded, Rejected
from ebpftop.model.run import Run
from ebpftop.stats import text
from ebpftop.ui.inert import inert
from ebpftop.ui.messages import EditAsked
from ebpftop.ui.theme import NOT_HERE, RUNNING
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.lines import CodeLines, LogLines
from ebpftop.ui.widgets.panel import Framed, words
from ebpftop.verifier.lines import line_for
from ebpftop.verifier.log import Parsed, parse
from ebpftop.verifier.registers import known_before

STAGES = {
    "compile": "does not compile",
    "fit": "is refused",
    "verify": "rejected by the verifier",
    "attach": "could not be attached",
}


class VerifierScreen(Screen[None]):
    """Instructions are stepped through in the log's order; the C follows. Lines of both are counted from 0 here."""

    DEFAULT_CSS = """
    VerifierScreen {
        background: $background;
        & #said {
            height: auto;
            max-height: 50%;
            border: round $error;
            border-title-color: $error;
            border-title-style: bold;
            padding: 0 1;
        }
        & #both { height: 1fr; layout: horizontal; }
        & #code { width: 4fr; }
        & #log { width: 5fr; }
        & #known { width: 3fr; display: none; }
        &.-roomy #known { display: block; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #code { width: 100%; }
        &.-narrow #log { width: 100%; }
        &.-low #said { border: none; border-top: solid $error; }
        &.-runs #said { border: round $success; border-title-color: $success; }
        &.-runs #log, &.-runs #known { display: none; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-roomy")]  # noqa: RUF012 (as Textual has it)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", "step back", show=False, priority=True, tooltip="Through the log's instructions"),
        Binding("down,j", "step(1)", "step", key_display="↑↓", priority=True),
        Binding("g", "failure", "failure", tooltip="Back to the instruction that failed"),
        Binding("e", "edit", "edit", tooltip="Edit the C at this line; saving it loads the probe again"),
        Binding("escape,v", "app.pop_screen", "back", key_display="Esc", tooltip="Back to the dashboard"),
        Binding("tab", "app.focus_next", "next part", show=False, tooltip="From the log to the C and back"),
    ]

    def __init__(self, frame: Rejected, before: Run | None = None) -> None:
        super().__init__()
        self.frame = frame
        self.before = before  # the run of the version before
        self.code = CodeLines(frame.text)
        self.log_lines = LogLines()
        self.known = Static(markup=False)
        self.parsed: Parsed | None = None
        self._table = dict(frame.lines)
        self._at: int | None = None  # the current one of `parsed.instructions`

    def compose(self) -> Iterable[Widget]:
        frame = self.frame
        said = Static(_said(frame, self.before), markup=False, id="said")
        said.border_title = words(frame.probe, STAGES[frame.stage])
        yield said
        with Container(id="both"):
            with Framed(self.code, id="code") as code:
                code.border_title = words(frame.source.file if frame.source else "probe.bpf.c")
            with Framed(self.log_lines, id="log") as log:
                log.border_title = "compiler" if frame.stage in ("compile", "fit") else "verifier log"
            if frame.stage == "verify":
                with Framed(self.known, id="known") as known:
                    known.border_title = "known before it"
        yield KeyLine()

    def on_mount(self) -> None:
        self.log_lines.focus()
        if self.frame.source:
            self.code.failed = self.frame.source.line - 1
        self._read()

    # ------------------------------------------------------------ the file was saved

    def loads_again(self) -> None:
        """The file was saved, and its new version is on its way."""
        self.query_one("#said").border_subtitle = "saved: loading it again"

    def runs_now(self, frame: Loaded, source: str) -> None:
        """The new version is accepted: what was said of the old one is over."""
        said = self.query_one("#said", Static)
        said.border_title, said.border_subtitle = words(frame.probe, "runs now"), None
        said.update(_accepted(frame, self.frame))
        self.code.show_source(source)
        self.add_class("-runs")
        self.code.focus()

    @work
    async def _read(self) -> None:
        """A log may be long: it is read beside the screen's own work."""
        self.parsed = await asyncio.to_thread(_parse, self.frame.log)
        self.log_lines.show(self.parsed.lines, self.parsed.error_line if self.frame.stage == "verify" else None)
        self.log_lines.failed = self._failed_log_line()
        self.call_after_refresh(self.action_failure)

    def _failed_log_line(self) -> int | None:
        if self.parsed is None or self.frame.stage != "verify":
            return None
        return self.parsed.log_line if self.parsed.log_line is not None else self.parsed.error_line

    def action_failure(self) -> None:
        """Show the failing instruction and the author's line of it."""
        if self.frame.source:
            self.code.show_line(self.frame.source.line - 1)
        line = self._failed_log_line()
        if self.parsed and line is not None:
            self._at = bisect_left(self.parsed.instructions, (line, -1))
        self.log_lines.show_line(line)
        self._show_instruction()

    def action_step(self, step: int) -> None:
        """Go to the next instruction of the log; the C shows the line it came from."""
        if self.parsed is None:
            return
        if not self.parsed.instructions:
            focused = self.log_lines if self.log_lines.has_focus else self.code
            focused.scroll_relative(y=step, animate=False)
            return
        last = len(self.parsed.instructions) - 1
        self._at = max(0, min(last, (last if self._at is None else self._at) + step))
        line, insn = self.parsed.instructions[self._at]
        self.log_lines.show_line(line)
        source = line_for(self._table, insn)
        self.code.show_line(None if source is None else source - 1)
        self._show_instruction()

    def action_edit(self) -> None:
        line = self.frame.source.line if self.frame.source else None
        self.post_message(EditAsked(self.frame.probe, line))

    def _show_instruction(self) -> None:
        """Tell which instruction is current, and what was known before it."""
        frame = self.query_one("#log", Framed)
        if self.parsed is None or self.frame.stage != "verify":
            return
        lines = text.count(len(self.parsed.lines))
        where = ""
        if self._at is not None and self._at < len(self.parsed.instructions):
            line, insn = self.parsed.instructions[self._at]
            where = f"insn {insn}"
            self.known.update(_known(self.parsed.lines, line))
        frame.border_title = words("verifier log", where, f"{lines} lines")


def _parse(log: str) -> Parsed:
    parsed = parse(log)
    _ = parsed.instructions  # made on first use: here, not while the screen draws
    return parsed


def _known(lines: list[str], at: int) -> Content:
    """Registers the instruction names are bright, the others quiet."""
    used = {f"R{number}" for number in re.findall(r"\b[rw](\d+)\b", lines[at])}
    return Content("\n").join(
        Content.assemble(
            (f"{name:<6}", "bold" if name in used else "$quiet"), (inert(value), "" if name in used else "$quiet")
        )
        for name, value in known_before(lines, at).items()
    )


def _said(frame: Rejected, before: Run | None) -> Content:
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
        lines.append(Content.assemble(("before the save  ", "$quiet"), _was(before)))
    return Content("\n").join(lines)


def _was(run: Run) -> Content:
    """What became of a version, in a line."""
    if run.rejected is None:
        return Content.assemble((RUNNING, "$success"), " it runs on" if run.state == "running" else " it ran")
    line = f"line {run.rejected.source.line}: " if run.rejected.source else ""
    return Content.assemble((NOT_HERE, "$error"), f" {line}{inert(run.rejected.error)}")


def _accepted(frame: Loaded, rejected: Rejected) -> Content:
    how = " · ".join(
        part for part in (f"variant {inert(frame.variant)}", f"{text.count(frame.instructions)} instructions") if part
    )
    line = f"line {rejected.source.line}: " if rejected.source else ""
    return Content("\n").join(
        [
            Content.assemble((f"{RUNNING} The kernel accepts it as it was saved.", "bold $success"), f"   {how}"),
            Content.assemble(("before the save  ", "$quiet"), (NOT_HERE, "$error"), f" {line}{inert(rejected.error)}"),
            Content.styled("Esc shows what it counts.", "$quiet"),
        ]
    )
