"""How keys are displayed, and the cursor keys that all lists share."""

from __future__ import annotations

from textual.binding import Binding, BindingType

MOVES: list[BindingType] = [
    Binding("up,k", "move(-1)", "line up", show=False, tooltip="Move a line up or down"),
    Binding("down,j", "move(1)", "line down", show=False),
    Binding("pageup", "page(-1)", "page up", show=False, tooltip="Move a page up or down"),
    Binding("pagedown", "page(1)", "page down", show=False),
    Binding("home,g", "edge(-1)", "first line", show=False, tooltip="Go to the first or last line"),
    Binding("end,G", "edge(1)", "last line", show=False),
]
NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "shift+left": "Shift-←",
    "shift+right": "Shift-→",
    "shift+up": "Shift-↑",
    "shift+down": "Shift-↓",
    "ctrl+z": "Ctrl-Z",
    "ctrl+p": "Ctrl-P",
    "ctrl+q": "Ctrl-Q",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "backspace": "Bksp",
    "home": "Home",
    "end": "End",
    "f1": "F1",
}
