"""Clicks that reach nothing."""

from __future__ import annotations

import contextlib

from textual.app import App
from textual.errors import NoWidget
from textual.events import Event, MouseDown


def is_missed(app: App[None], event: Event) -> bool:
    """Whether it is a click where the screen still shows a widget that is gone: Textual fails at that."""
    if isinstance(event, MouseDown):
        with contextlib.suppress(NoWidget):
            return not app.get_widget_at(event.x, event.y)[0].is_attached
    return False
