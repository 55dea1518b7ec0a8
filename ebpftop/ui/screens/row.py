"""One whole row of a table, or one event: every field on lines of its own, uncut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.screens.leaving import Dialog

TITLES = 24  # cells, at most, of the titles' column


class RowScreen(Dialog[None]):
    DEFAULT_CSS = """
    RowScreen {
        align: center middle;
        background: $background 70%;
        & > VerticalScroll {
            width: 100;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 0 1;
            scrollbar-size: 1 1;
        }
        & Static { width: 100%; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,w,v", "dismiss", "close", key_display="Esc")]

    def __init__(self, title: str, fields: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title = title
        self.fields = fields

    def compose(self) -> Iterable[Widget]:
        width = min(TITLES, max((Content(inert(title)).cell_length for title, _ in self.fields), default=0))
        with VerticalScroll() as box:
            box.border_title = Content(inert(self._title))
            box.border_subtitle = "Esc closes"
            for title, text in self.fields:
                name = Content(inert(title)).truncate(width, ellipsis=True, pad=True)
                yield Static(
                    Content.assemble(name.stylize("$quiet"), "  ", inert(text) or ("–", "$quiet")), markup=False
                )
