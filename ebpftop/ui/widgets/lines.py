"""Numbered lines of text, in any number: only visible ones are drawn."""

from __future__ import annotations

import re
import textwrap
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.ui.drawing.code import Code
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import painted
from ebpftop.ui.drawing.theme import HERE, NOT_HERE
from ebpftop.ui.widgets.painter import Painter
from ebpftop.verifier.instruction import SHOWN
from ebpftop.verifier.step import Step

WIDEST = 4_000  # cells of a line that can be scrolled to
STEP = 8  # cells that an arrow scrolls sideways
NEAR = 2_000  # lines at the end of a log that say how wide it is
NAME = 6  # cells of a register's name, and what is behind it
BOLD = RichStyle(bold=True)


class Lines(Painter, can_focus=True):
    """Lines counted from 0. `failed` is marked ✗, `current` ▶."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lines--gutter",
        "lines--current",
        "lines--failed",
        "lines--sign",
        "lines--more",
    }
    DEFAULT_CSS = """
    Lines {
        scrollbar-size: 0 1;
        & > .lines--gutter { color: $quiet; }
        & > .lines--sign { color: $error; text-style: bold; }
        & > .lines--more { color: $primary; text-style: bold; }
        & > .lines--current { background: $cursor; }
        & > .lines--failed { background: $code-mark; text-style: bold; }
        &:nocolor > .lines--current { text-style: underline; }
        &:nocolor > .lines--failed { text-style: reverse; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "sideways(-1)", "scroll left", show=False, tooltip="Scroll sideways where ‹ or › shows more"),
        Binding("right", "sideways(1)", "scroll right", show=False),
    ]

    current: reactive[int | None] = reactive(None, repaint=False)
    failed: reactive[int | None] = reactive(None, repaint=False)

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of lines."""

    @abstractmethod
    def segments(self, line: int) -> list[Segment]:
        """One line, inert."""

    @property
    def widest(self) -> int:
        """Width in cells of the widest line known."""
        return 0

    def number(self, line: int) -> str:
        """The number before a line, at most as wide as that of the last line."""
        return ""

    @property
    def margin_width(self) -> int:
        """The width in cells of the sign and the number before a line."""
        return 2 + (len(self.number(self.count)) + 2 if self.number(0) else 0)

    def changed(self) -> None:
        self.reach(min(WIDEST, self.margin_width + self.widest + 1), self.count)
        self.update_lines()

    def show_line(self, line: int | None) -> None:
        """Make a line current, and show some lines around it."""
        self.current = line
        if line is None:
            return
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top + min(2, height // 4) <= line < top + height - min(2, height // 4):
            self.scroll_to(y=max(0, line - height // 2), animate=False)

    def watch_current(self) -> None:
        self.update_lines()

    def watch_failed(self) -> None:
        self.update_lines()

    def line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        line = y + self.scroll_offset.y
        if line >= self.count:
            return Strip.blank(width, self.look())
        sign = NOT_HERE if line == self.failed else HERE if line == self.current else " "
        number = f"{self.number(line):>{self.margin_width - 4}}  " if self.number(0) else ""
        head = [
            Segment(f"{sign} ", self.look("lines--sign")),
            Segment(number, self.look("lines--gutter")),
        ]
        body = self._cut(Strip(self.segments(line)), self.scroll_offset.x, max(2, width - self.margin_width))
        strip = Strip([*head, *body]).adjust_cell_length(width, self.look())
        mark = "lines--failed" if line == self.failed else "lines--current" if line == self.current else ""
        return painted(strip, self.mark(mark)) if mark else strip

    def _cut(self, whole: Strip, left: int, width: int) -> Strip:
        """The visible part of a line, with a sign at each end that is cut."""
        before, after = left > 0 and whole.cell_length > 0, whole.cell_length > left + width
        part = whole.crop(left + before, left + width - after)
        sign = self.look("lines--more")
        return Strip([*([Segment("‹", sign)] if before else []), *part, *([Segment("›", sign)] if after else [])])

    def action_sideways(self, direction: int) -> None:
        self.scroll_relative(x=direction * STEP, animate=False)


class CodeLines(Lines):
    """C, highlighted."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._code = Code(source)

    def show_source(self, source: str) -> None:
        """Show another version of the source, with no line marked."""
        self._code = Code(source)
        self.failed = self.current = None
        self.changed()

    @property
    def count(self) -> int:
        return len(self._code)

    @property
    def widest(self) -> int:
        return self._code.widest

    def number(self, line: int) -> str:
        return str(line + 1)

    def on_mount(self) -> None:
        self.changed()

    def segments(self, line: int) -> list[Segment]:
        return self.segments_of(self._code.line(line))


class LogLines(Lines):
    """A verifier log or compiler output, verbatim: register states are dimmed, instructions are not."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._error: int | None = None

    @property
    def count(self) -> int:
        return len(self._lines)

    @property
    def widest(self) -> int:
        return max((len(line) for line in self._lines[-NEAR:]), default=0)

    def show(self, lines: list[str], error: int | None) -> None:
        """`error` is the line of the error message."""
        self._lines = lines
        self._error = error
        self.changed()

    def segments(self, line: int) -> list[Segment]:
        text = inert(self._lines[line][:WIDEST].expandtabs(8))
        if line == self._error:
            return [Segment(text, self.look("lines--sign"))]
        end = text.find(";") if SHOWN.match(text) else 0
        head, tail = (text, "") if end < 0 else (text[:end], text[end:])
        return [Segment(head, self.look()), Segment(tail, self.look("lines--gutter"))]


NO_REGISTERS = (
    "The log shows no registers here: the verifier rejected the program before it looked at the instructions."
)


class KnownLines(Lines):
    """The steps that led to an instruction, and below them registers and stack slots with their contents."""

    def __init__(self) -> None:
        super().__init__()
        self._chain: Sequence[Step] = ()
        self._insn: int | None = None
        self._known: Mapping[str, str] = {}
        self._used: Collection[str] = ()
        self._ready = False  # whether there was anything to show, or the certainty that there is nothing
        self._rows: list[tuple[str, str, bool]] = []  # a name or number, a part of its text, whether it stands out

    @property
    def count(self) -> int:
        return len(self._rows)

    def show(self, chain: Sequence[Step], insn: int | None, known: Mapping[str, str], used: Collection[str]) -> None:
        """The step of `insn` and the registers in `used` are bright, the others quiet."""
        self._ready = True
        self._chain, self._insn, self._known, self._used = chain, insn, known, used
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        """Continue a long text on lines below itself."""
        self._rows = []
        for step in self._chain:
            number = "" if step.insn is None else str(step.insn)
            here = step.insn is not None and step.insn == self._insn
            self._add(number, f"{step.text}: {step.why}" if step.text else step.why, here)
        if self._chain and self._known:
            self._rows.append(("", "", False))
        for name, value in self._known.items():
            self._add(name, re.sub(r",(?! )", ", ", value), name in self._used)
        if self._ready and not self._rows:
            self._add("", NO_REGISTERS, False)
        self.changed()

    def _add(self, name: str, text: str, bright: bool) -> None:
        room = max(NAME, self.scrollable_content_region.width - self.margin_width - NAME)
        for at, part in enumerate(textwrap.wrap(inert(text), room, break_on_hyphens=False) or [""]):
            self._rows.append(("" if at else inert(name), part, bright))

    def segments(self, line: int) -> list[Segment]:
        name, text, bright = self._rows[line]
        look = self.look() if bright else self.look("lines--gutter")
        return [Segment(f"{name:<{NAME}}", look + BOLD if bright else look), Segment(text, look)]
