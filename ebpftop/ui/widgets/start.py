"""The first screen: "What is wrong?", with the playbooks as answers, and the probes of the chosen one below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.frames.messages import PlaybookInfo
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import painted
from ebpftop.ui.drawing.theme import PLAYBOOK
from ebpftop.ui.messages import PlayAsked
from ebpftop.ui.widgets.catalog import WAIT
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.painter import Painter

HINT = "Enter or a double click loads these, side by side. / searches all probes."
FIRST = (  # the first time
    "↑ ↓ choose, Enter loads these probes side by side. / searches the catalog.",
    "t sets the span of time shown, ( and ) move it, Space pauses.",
    ". selects a row in all views, B sums rows, P opens a process's page.",
    "r records to a tape. E exports. The comma opens your settings.",
    "? lists all keys, q detaches everything and quits.",
)


class Start(Painter, can_focus=True):
    """`show` sets the answers; the cursor is kept here, by the number of the answer."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"start--quiet", "start--bold", "start--cursor", "start--cursor-quiet"}
    DEFAULT_CSS = """
    Start {
        height: 1fr;
        border: round $rim;
        border-title-color: $quiet;
        padding: 0 1;
        overflow-x: hidden;
        scrollbar-size: 1 1;
        &:focus { border: round $primary; border-title-color: $foreground; }
        &:nocolor:focus { border: heavy $primary; }
        & > .start--quiet { color: $quiet; }
        & > .start--bold { text-style: bold; }
        & > .start--cursor { background: $cursor; text-style: bold; }
        & > .start--cursor-quiet { background: $cursor-quiet; }
        &:nocolor > .start--cursor { text-style: reverse; }
        &:nocolor > .start--cursor-quiet { text-style: underline; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", key_display="Enter", tooltip="Load the playbook's probes, side by side"),
        *MOVES,
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.answers: Sequence[PlaybookInfo] | None = None  # None: not known yet
        self.first = False  # whether this person sees it for the first time
        self._drawn = self._lines()
        self.border_title = "What is wrong?"

    def show(self, answers: Sequence[PlaybookInfo] | None) -> None:
        """Leave out playbooks about one process: its page offers them."""
        asked = None if answers is None else [each for each in answers if not each.of_process]
        if asked != self.answers:
            was = self._chosen
            self.answers = answers = asked
            same = (at for at, each in enumerate(answers or ()) if was and each.name == was.name)
            self.set_reactive(Start.cursor, next(same, 0))
            self._arrange()

    @property
    def _chosen(self) -> PlaybookInfo | None:
        return self.answers[self.cursor] if self.answers else None

    def _arrange(self) -> None:
        self._drawn = self._lines()
        self.reach(self.size.width, len(self._drawn))
        self.update_lines()

    def watch_cursor(self) -> None:
        self._arrange()
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self.answers or ()) - 1))

    # ------------------------------------------------------------ drawing

    def _lines(self) -> list[list[tuple[str, str]]]:
        """(text, component class) of each part of each line: the answers, then the chosen one's purpose and probes."""
        if self._chosen is None or self.answers is None:
            return [[(WAIT, "start--quiet")]]
        wide = max(cell_len(inert(each.title)) for each in self.answers)
        lines = [
            [(f" {PLAYBOOK} {_padded(each.title, wide)}", ""), (f"   {inert(each.name)}", "start--quiet")]
            for each in self.answers
        ]
        steps = self._chosen.steps
        wide = max((cell_len(inert(step.question)) for step in steps), default=0)
        if self.first:
            lines += [[], *(line for hint in FIRST for line in self._told(hint))]
        lines += [[], *([(f" {line}", "start--bold")] for line in self._wrapped(inert(self._chosen.summary)))]
        lines += [
            [(f" {_padded(step.question, wide)}", ""), (f"   {inert(step.probe.partition('/')[2])}", "start--quiet")]
            for step in steps
        ]
        return [*lines, [], *self._told(HINT)]

    def _told(self, hint: str) -> list[list[tuple[str, str]]]:
        return [[(f" {line}", "start--quiet")] for line in self._wrapped(hint)]

    def _wrapped(self, text: str) -> list[str]:
        return textwrap.wrap(text, max(20, self.size.width - 2))

    def on_resize(self, _event: events.Resize) -> None:
        self._arrange()

    def line(self, y: int) -> Strip:
        at, width = y + self.scroll_offset.y, self.size.width
        lines = self._drawn
        if at >= len(lines):
            return Strip.blank(width, self.look())
        strip = Strip([Segment(text, self.look(name)) for text, name in lines[at]])
        strip = strip.adjust_cell_length(width, self.look()).simplify()
        if self.answers and at == self.cursor:
            strip = painted(strip, self.mark("start--cursor" if self.has_focus else "start--cursor-quiet"))
        return strip

    # ------------------------------------------------------------ keys and mouse

    def action_move(self, step: int) -> None:
        self.cursor += step

    def action_page(self, direction: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + direction * max(1, self.size.height - 1), animate=False)

    def action_edge(self, direction: int) -> None:
        self.cursor = 0 if direction < 0 else len(self.answers or ()) - 1

    def action_open(self) -> None:
        if self._chosen:
            self.post_message(PlayAsked(self._chosen.name))
        else:
            self.notify(WAIT, markup=False)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        at = offset.y + self.scroll_offset.y if offset else -1
        if self.answers and 0 <= at < len(self.answers):
            again = at == self.cursor
            self.cursor = at
            if again and event.chain == 2:
                self.action_open()


def _padded(text: str, width: int) -> str:
    text = inert(text)
    return text + " " * (width - cell_len(text))
