"""Why a load failed: the error, its meaning, the author's line, and the whole log beside it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.base.look import PIPED, Look
from ebpftop.catalog.numbering import AUTHORS_FILE
from ebpftop.frames.messages import Loaded
from ebpftop.model import failure_text
from ebpftop.model.failure import Failure
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.ui.actions.saving import save
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.messages import EditAsked
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.screens.verifier_head import accepted, head_of
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.lines import CodeLines, KnownLines, LogLines
from ebpftop.ui.widgets.panel import Framed, words
from ebpftop.ui.widgets.runs import RunTabs, Tab
from ebpftop.verifier.instruction import SHOWN
from ebpftop.verifier.jumps import branched, last_shown, needed, step_before, written
from ebpftop.verifier.lines import line_for
from ebpftop.verifier.log import Parsed, parse
from ebpftop.verifier.registers import known_before

LOGS = {"verify": "verifier log", "compile": "compiler", "attach": "attaching"}  # titles of the log, by stage
NO_LOG = {
    "attach": "Attaching leaves no log: the line above is all that the kernel reported.",
    "compile": "The compiler reported nothing more.",
    "verify": "The verifier left no log.",
}
WIDE = 110  # cells from which the C and the log stand beside each other
COPIED = 64_000  # characters
WHY = "what led to it"
KNOWN = "state before it"
JUMPS = ("written", "branch")  # actions
OF_A_LOG = (*JUMPS, "step", "failure", "part", "copy", "save")


class VerifierScreen(Leaving[None]):
    """`↑` and `↓` step through instructions in the log's order; the C and the known state follow. Lines are counted
    from 0 here. On a narrow terminal, one of the three parts is shown at a time.
    """

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
        & #parts { display: none; }
        & #both { height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 4fr 5fr; grid-rows: 2fr 1fr; }
        & #code { row-span: 2; }
        &.-roomy #both { grid-size: 3 1; grid-columns: 4fr 5fr 3fr; grid-rows: 1fr; }
        &.-roomy #code { row-span: 1; }
        &.-short #both { grid-size: 2 1; grid-columns: 4fr 5fr; grid-rows: 1fr; }
        &.-short #code { row-span: 1; }
        &.-short #known { display: none; }
        &.-narrow #parts { display: block; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #both > Framed { display: none; }
        &.-narrow #both > Framed.-front { display: block; }
        &.-low #said { border: none; border-top: solid $error; }
        &.-runs #said { border: round $success; border-title-color: $success; }
        &.-runs #both { grid-size: 1 1; grid-columns: 1fr; grid-rows: 1fr; }
        &.-runs #code { row-span: 1; display: block; }
        &.-runs #parts, &.-runs #log, &.-runs #known { display: none; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-normal"), (160, "-roomy")]  # noqa: RUF012 (as Textual has it)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up,k", "step(-1)", "step back", show=False, priority=True, tooltip="Step through the log's instructions"
        ),
        Binding("down,j", "step(1)", "step", key_display="↑↓", priority=True),
        Binding("e", "edit", "edit", tooltip="Edit the C at this line; saving loads it", id="edit"),
        Binding("g", "failure", "failure", tooltip="Go back to the instruction that failed"),
        Binding("w", "written", "written", tooltip="Go back along what led to it: where the register was written"),
        Binding("b", "branch", "branch", tooltip="Go back to the last branch"),
        Binding("w,b", "no_log", show=False),  # where those are disabled
        Binding("escape", "app.pop_screen", "back", key_display="Esc", tooltip="Go back to the dashboard"),
        Binding("v", "app.verifier", show=False, id="verifier"),
        Binding("tab", "part(1)", "next part", key_display="Tab", tooltip="Go to the C, the log, or what led to it"),
        Binding("shift+tab", "part(-1)", "previous part", show=False),
        Binding("y", "copy", "copy", tooltip="Copy all this as text", id="copy"),
        Binding("s", "save", "save", tooltip="Save all this as text", id="save"),
    ]

    def __init__(self, failure: Failure, before: Run | None = None, *, lineage: int = 0, live: bool = True) -> None:
        super().__init__()
        self.failure = failure
        self.lineage = lineage  # of the request that failed, 0 on a tape
        self.live = live  # on a tape there is nothing to edit
        self.before = before  # the run of the version before
        self.code = CodeLines(failure.text)
        self.log_lines = LogLines()
        self.known = KnownLines()
        self.parts = [Framed(self.code, id="code"), Framed(self.log_lines, id="log")]
        if failure.stage == "verify":
            self.parts.append(Framed(self.known, id="known"))
        else:
            self.add_class("-short")
        self.tabs = RunTabs(id="parts")
        self.parsed: Parsed | None = None
        self._table = dict(failure.lines)
        self._at: int | None = None  # the log's line of the current instruction

    def compose(self) -> Iterable[Widget]:
        failure = self.failure
        head = Static(head_of(failure, self.before), markup=False, id="said")
        head.border_title = words(failure.probe, failure.result)
        yield head
        yield self.tabs
        names = (
            (failure.source and failure.source.file) or AUTHORS_FILE,
            LOGS.get(failure.stage or "", "log"),
            f"{WHY} · {KNOWN}",
        )
        with Container(id="both"):
            for part, name in zip(self.parts, names, strict=False):
                part.border_title = words(name)
                yield part
        yield KeyLine()

    def on_mount(self) -> None:
        names = ("C", "log", WHY)
        self.tabs.tabs = tuple(Tab(at, "", "", name) for at, name in zip(range(len(self.parts)), names, strict=False))
        self._bring(0 if self.app.size.width < WIDE and self._failed_code_line() is not None else 1)
        self.code.failed = self._failed_code_line()
        self._read()

    # ------------------------------------------------------------ its parts

    def _bring(self, at: int) -> None:
        """Bring a part to the front and focus it."""
        self.tabs.current = at
        for part in self.parts:
            part.set_class(part is self.parts[at], "-front")
        inside = self.parts[at].children[0] if self.parts[at].children else None
        if inside is not None and inside.focusable:
            self.set_focus(inside)
        else:
            self.call_after_refresh(lambda: self.set_focus(self.parts[at].children[0]))

    def on_descendant_focus(self) -> None:
        at = next((at for at, part in enumerate(self.parts) if part.has_focus_within), None)
        if at is not None and at != self.tabs.current:
            self._bring(at)

    def on_run_tabs_chosen(self, event: RunTabs.Chosen) -> None:
        self._bring(event.run)

    def action_part(self, step: int) -> None:
        self._bring(((self.tabs.current or 0) + step) % len(self.parts))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if (action == "edit" and not self.live) or (action in JUMPS and not self._has_log):
            return False
        return not self.has_class("-runs") or action not in OF_A_LOG

    # ------------------------------------------------------------ the file was saved

    def loads_again(self, on_its_way: bool = True) -> None:
        """The file was saved, and its new version is on its way; or it isn't any more, and nothing came of it."""
        self.query_one("#said").border_subtitle = "saved: reloading" if on_its_way else None

    def runs_now(self, frame: Loaded, source: str) -> None:
        """The new version is accepted: it replaces the explanation of the old one."""
        head = self.query_one("#said", Static)
        head.border_title, head.border_subtitle = words(frame.probe, "runs now"), None
        head.update(accepted(frame, None if self.has_class("-runs") else self.failure))
        self.code.show_source(source)
        self.add_class("-runs")
        self.code.focus()
        self.refresh_bindings()

    @work
    async def _read(self) -> None:
        """Read the log beside the screen's own work, because it may be long."""
        self.parsed = await asyncio.to_thread(parse, self.failure.log)
        lines = (
            self.parsed.lines
            if self.failure.log.strip()
            else [NO_LOG.get(self.failure.stage or "", "There is no log.")]
        )
        self.log_lines.show(lines, self.parsed.error_line if self.failure.stage == "verify" else None)
        self.log_lines.failed = self._failed_log_line()
        self.call_after_refresh(self.action_failure)

    def _failed_log_line(self) -> int | None:
        if self.parsed is None or self.failure.stage != "verify":
            return None
        return self.parsed.log_line if self.parsed.log_line is not None else self.parsed.error_line

    def _failed_code_line(self) -> int | None:
        source = self.failure.source
        return source.line - 1 if source and source.line is not None else None

    def action_failure(self) -> None:
        """Show the failing instruction and its line of the author's C."""
        line = self._failed_log_line()
        self._at = line
        if (failed := self._failed_code_line()) is not None:
            self.code.show_line(failed)
        self.log_lines.show_line(line)
        self._show_known()

    def action_step(self, step: int) -> None:
        """Go to the next instruction of the log; the C shows the line it came from."""
        if self.parsed is None:
            return
        lines = self.parsed.lines
        begin = self._at if self._at is not None else len(lines) if step < 0 else -1
        ahead = range(begin + step, len(lines) if step > 0 else -1, step)
        found = next((at for at in ahead if SHOWN.match(lines[at])), None)
        if found is not None:
            self._go(found)
        elif self._at is None:
            focused = self.log_lines if self.log_lines.has_focus else self.code
            focused.scroll_relative(y=step, animate=False)

    def action_written(self) -> None:
        """Go back along the chain that led to the failure; from elsewhere, to where the needed register was written."""
        if self.parsed is None or self._at is None:
            return
        if step := step_before(self.failure.diagnosis.chain, self._insn):
            self._go(last_shown(self.parsed.lines, self._at, step.insn), WHY)
            return
        complaint = self.parsed.error if self._at == self._failed_log_line() else ""
        register = needed(self.parsed.lines, self._at, complaint)
        at = written(self.parsed.lines, self._at, register)
        if at is not None:
            self._go(at, f"writes {register}")
        else:
            self.notify(f"nothing above writes {register}" if register else "no register to follow here", markup=False)

    @property
    def _has_log(self) -> bool:
        return self.failure.stage == "verify" and bool(self.failure.log.strip())

    def action_no_log(self) -> None:
        """A key that steps through the log, where there is none."""
        self.notify("there is no verifier log to step through", markup=False)

    def action_branch(self) -> None:
        if self.parsed is None or self._at is None:
            return
        if visit := branched(self.parsed.lines, self._at):
            self._go(visit.line, "taken" if visit.taken else "not taken")
        else:
            self.notify("there is no branch above", markup=False)

    def _go(self, at: int, note: str = "") -> None:
        """Make the instruction in a line of the log the current one; `note` says why that one."""
        self._at = at
        self.log_lines.show_line(at)
        source = line_for(self._table, self._insn or 0)
        self.code.show_line(None if source is None else source - 1)
        self._show_known(note)

    @property
    def _insn(self) -> int | None:
        """The number of the current instruction."""
        if self.parsed is None or self._at is None:
            return None
        shown = SHOWN.match(self.parsed.lines[self._at])
        return int(shown[1]) if shown else None

    def action_edit(self) -> None:
        line = self.failure.source.line if self.failure.source else None
        self.post_message(EditAsked(self.failure.probe, line))

    def action_copy(self) -> None:
        """Copy, with only the end of a long log: terminals limit what can be copied."""
        self.app.copy_to_clipboard(_as_text(replace(self.failure, log=self.failure.log[-COPIED:])))
        self.notify("copied, if the terminal allows it", markup=False)

    @work
    async def action_save(self) -> None:
        try:
            path = await asyncio.to_thread(lambda: save(f"{self.failure.probe}-rejected", _as_text(self.failure)))
        except OSError as error:
            self.notify(f"not saved: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"saved as {inert(str(path))}", markup=False)

    def _show_known(self, note: str = "") -> None:
        """Show the current instruction, and the state before it."""
        if self.parsed is None or self.failure.stage != "verify":
            return
        if self._at is not None:
            used = {f"R{number}" for number in re.findall(r"\b[rw](\d+)\b", self.parsed.lines[self._at])}
            self.known.show(self.failure.diagnosis.chain, self._insn, known_before(self.parsed.lines, self._at), used)
        else:
            self.known.show(self.failure.diagnosis.chain, None, {}, ())
        where = f"insn {self._insn}" if self._insn is not None else ""
        self.parts[1].border_title = words(
            "verifier log", where, note, f"{formatting.count(len(self.parsed.lines))} lines"
        )


def _as_text(failure: Failure) -> str:
    look = Look(PIPED, colour=False)
    return failure_text.as_text(failure, look, title=f"ebpftop: {failure.headline}", log=True) + "\n"
