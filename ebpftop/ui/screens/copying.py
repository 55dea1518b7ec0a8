"""Why a probe can't be edited, and the command to type instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.frames.messages import ProbeInfo
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.screens.leaving import Dialog


class CopyScreen(Dialog[None]):
    DEFAULT_CSS = """
    CopyScreen {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 100;
            max-width: 100%;
            height: auto;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 1 2;
        }
        & Static { width: 100%; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e", "dismiss", "close", key_display="Esc"),
        Binding("y", "copy", "copy", tooltip="Copy the command, if the terminal allows it", id="copy"),
    ]

    def __init__(self, probe: ProbeInfo, note: str, command: str) -> None:
        super().__init__()
        self.probe = probe
        self.note = note
        self.command = command

    def compose(self) -> Iterable[Widget]:
        with Vertical() as box:
            box.border_title = Content(inert(self.probe.id))
            box.border_subtitle = "y copies the command   Esc closes"
            yield Static(
                Content.assemble(
                    "This probe was read once, at startup, so saving its file would change nothing. Make your own "
                    f"copy: there, e opens your editor, and saving reloads the probe. {self.note}\n\n",
                    (inert(self.command), "bold"),
                ),
                markup=False,
            )

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.command)
        self.notify("copied, if the terminal allows it", markup=False)
