"""Small forms: the text of a mark, and the file to record to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from ebpftop.base.home import expanded
from ebpftop.frames.marks import LONGEST
from ebpftop.frames.tape import TapeExists
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE
from ebpftop.ui.feed.keeping import Keeping
from ebpftop.ui.screens.leaving import Dialog

_CSS = """
    {name} {{
        align: center middle;
        background: $background 70%;
        & > Vertical {{
            width: 76;
            max-width: 96%;
            height: auto;
            border: round $primary;
            background: $surface;
            padding: 1 2 0 2;
        }}
        & Static {{ height: auto; }}
        & Input {{
            height: 1;
            border: none;
            padding: 0 1;
            margin-bottom: 1;
            background: $bar-back;
            &:focus {{ border: none; background: $cursor; }}
        }}
        & .error {{ color: $error; text-style: bold; min-height: 1; }}
    }}
"""


class MarkForm(Dialog[str]):
    """Its result is the text of a mark."""

    DEFAULT_CSS = _CSS.format(name="MarkForm")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", tooltip="Close without setting a mark")
    ]

    def __init__(self, realtime_ns: int) -> None:
        super().__init__()
        self._when = formatting.clock(realtime_ns)
        self.field = Input(placeholder="deploy 42", max_length=LONGEST)

    def compose(self) -> Iterable[Widget]:
        with Vertical() as box:
            box.border_title = Content(f"mark {self._when}")
            box.border_subtitle = "Enter marks this moment   Esc closes"
            yield self.field

    def on_mount(self) -> None:
        self.set_focus(self.field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.dismiss(event.value)


class RecordForm(Dialog[None]):
    """Begins a tape, or says why it can't."""

    DEFAULT_CSS = _CSS.format(name="RecordForm")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "close", tooltip="Close without recording")]

    def __init__(self, keeping: Keeping) -> None:
        super().__init__()
        self._keeping = keeping
        self.minutes = Input(placeholder="0: from now on", select_on_focus=False)
        self.file = Input(value=f"ebpftop-{time.strftime('%Y%m%d-%H%M%S')}.tape", select_on_focus=False)
        self.error = Static("", markup=False, classes="error")

    def compose(self) -> Iterable[Widget]:
        recent = self._keeping.recent
        kept = f"{formatting.duration(recent.kept * 1e9)} are in memory, {formatting.bytes_(recent.bytes)}"
        with Vertical() as box:
            box.border_title = "record"
            box.border_subtitle = "Enter records   Tab next   Esc closes"
            yield Static(Content.assemble(("Minutes before now", "bold"), f"  {kept}"), markup=False)
            yield self.minutes
            yield Static(Content.assemble(("Tape", "bold"), "  without command lines"), markup=False)
            yield self.file
            yield self.error

    def on_mount(self) -> None:
        self.set_focus(self.minutes)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field arrives here, after the characters typed before it."""
        event.stop()
        try:
            seconds = 60 * float(self.minutes.value or 0)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 86_400:
            self._refuse("not a number of minutes", self.minutes)
            return
        name = self.file.value.strip()
        if not name:
            self._refuse("give the file a name", self.file)
            return
        try:
            self._keeping.record(expanded(Path(name)), seconds)
        except TapeExists as error:
            self._refuse(str(error).removesuffix("; --force overwrites it"), self.file)
        except OSError as error:
            self._refuse(error.strerror or str(error), self.file)
        else:
            self.dismiss()

    def _refuse(self, why: str, field: Input) -> None:
        self.error.update(Content(f"{NOT_HERE} {inert(why)}"))
        self.set_focus(field)
