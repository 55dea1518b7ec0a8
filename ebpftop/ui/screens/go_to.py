"""Asks for a time to go to."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from ebpftop.ui.drawing.spans import moment
from ebpftop.ui.screens.leaving import Dialog

FORMS = "12:03   12:03:20   -90s   -5m   -1h"
POSITIONS = "0:45   1:02:03   from the tape's start"


class GoTo(Dialog[float | None]):
    """Dismissed with the time in seconds since 1970, or None. now: what relative times are counted from.
    latest, begin: of a tape, its end and its beginning.
    """

    DEFAULT_CSS = """
    GoTo {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 50;
            max-width: 100%;
            height: auto;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 0 1;
        }
        & Input { height: 1; border: none; padding: 0; background: $bar-back; &:focus { border: none; } }
        & Static { color: $quiet; }
    }
    """

    def __init__(self, now: float, latest: float, begin: float | None = None) -> None:
        super().__init__()
        self._now, self._latest, self._begin = now, latest, begin
        self._forms, asked = FORMS, "a time of day, or how long ago"
        if begin is not None:
            self._forms, asked = f"{FORMS}\n{POSITIONS}", "a time of day, how long ago, or a position"
        self.input = Input(placeholder=asked)
        self.note = Static(self._forms, markup=False)

    def compose(self) -> Iterable[Widget]:
        with Vertical() as box:
            box.border_title = "Go to"
            box.border_subtitle = "Esc closes"
            yield self.input
            yield self.note

    def key_escape(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found = moment(event.value, self._now, self._latest, self._begin)
        if found is None:
            self.note.update(f"not a time: {self._forms}")
        else:
            self.dismiss(found)
