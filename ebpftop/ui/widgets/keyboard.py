"""How keys are displayed, and the cursor keys that all lists share."""

from __future__ import annotations

import re
from typing import Any

from textual.app import App
from textual.binding import Binding, BindingType

MOVES: list[BindingType] = [
    Binding("up,k", "move(-1)", "line up", show=False, tooltip="Move a line up or down"),
    Binding("down,j", "move(1)", "line down", show=False),
    Binding("pageup", "page(-1)", "page up", show=False, tooltip="Move a page up or down"),
    Binding("pagedown", "page(1)", "page down", show=False),
    Binding("home,g", "edge(-1)", "first line", show=False, tooltip="Go to the first or last line"),
    Binding("end,G", "edge(1)", "last line", show=False),
]


def shown(key: str) -> str:
    """The displayed form of a key with a name: `Ctrl-P`, `F1`; otherwise ""."""
    modifier, _, last = key.rpartition("+")
    if modifier in ("ctrl", "alt") and len(last) == 1:
        return f"{modifier.title()}-{last.upper()}"
    return NAMES.get(key) or (key.upper() if re.fullmatch("f[0-9]+", key) else "")


def key_of(app: App[Any], action: str, default: str) -> str:
    """The displayed key of an action, which settings may have changed."""
    changed = getattr(app, "keymap", {}).get(action)
    return app.get_key_display(Binding(changed, "")) if changed else default


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
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "backspace": "Bksp",
    "home": "Home",
    "end": "End",
}
