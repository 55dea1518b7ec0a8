"""A list to choose one line from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.widgets.menu import Menu


class Line(NamedTuple):
    """title, text: may contain anything. made: whether it is the current choice."""

    title: str
    text: str
    made: bool


class Choosing(Dialog[int]):
    """Its result is the number of the chosen line. key: the key that opened it, which also chooses."""

    DEFAULT_CSS = """
    Choosing {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 76;
            max-width: 100%;
            height: auto;
            max-height: 80%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
        }
        & OptionList { height: auto; max-height: 100%; border: none; background: $surface; text-wrap: nowrap; }
        & OptionList:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "close", key_display="Esc")]

    def __init__(self, title: str, lines: Sequence[Line], key: str = "") -> None:
        super().__init__()
        self.title = title
        self.lines = list(lines)
        self._key = key
        width = max(len(cell(each.title)) for each in self.lines)
        self.list = Menu(*(_content(each, width) for each in self.lines), markup=False)

    def compose(self) -> Iterable[Widget]:
        with Vertical() as box:
            box.border_title = Content(self.title or "")
            box.border_subtitle = "Enter chooses   Esc closes"
            yield self.list

    def on_mount(self) -> None:
        if self._key:
            self._bindings.bind(self._key, "take", show=False)
        self.set_focus(self.list)
        self.list.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option_index)

    def action_take(self) -> None:
        self.list.action_select()


def _content(line: Line, width: int) -> Content:
    """The titles as lines; a sign marks the current choice."""
    sign = "✓" if line.made else " "
    return Content.assemble(f"{sign} ", (f"{cell(line.title):<{width}}", "$quiet"), f"  {cell(line.text)}")
