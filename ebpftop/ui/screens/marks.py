"""All marks, to go to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from ebpftop.frames.messages import Mark
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.widgets.menu import Menu

_WHENCE = {"person": "", "outside": "  by command", "trigger": "  trigger"}


class MarkList(Dialog[Mark]):
    """Its result is the chosen mark. The newest is selected first."""

    DEFAULT_CSS = """
    MarkList {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 100;
            max-width: 100%;
            height: auto;
            max-height: 80%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
        }
        & OptionList { height: auto; max-height: 100%; border: none; background: $surface; }
        & OptionList:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,apostrophe", "dismiss", "close", key_display="Esc")]

    def __init__(self, marks: Sequence[Mark], *, of_tape: bool = False) -> None:
        """of_tape: whether a tape is played; then all marks are captions, whatever their origin."""
        super().__init__()
        self.marks = list(marks)
        self.list = Menu(*(_line(mark, of_tape=of_tape) for mark in self.marks), markup=False)

    def compose(self) -> Iterable[Widget]:
        with Vertical() as box:
            box.border_title = Content(formatting.plural(len(self.marks), "mark"))
            box.border_subtitle = "Enter goes there   Esc closes"
            yield self.list

    def on_mount(self) -> None:
        self.set_focus(self.list)
        self.list.highlighted = len(self.marks) - 1

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self.marks[event.option_index])


def _line(mark: Mark, *, of_tape: bool) -> Content:
    whence = "" if of_tape and mark.origin == "outside" else _WHENCE[mark.origin]
    return Content.assemble((formatting.clock(mark.realtime_ns), "$quiet"), f"  {inert(mark.text)}", (whence, "$quiet"))
