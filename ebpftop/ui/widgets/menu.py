"""Lists of options."""

from __future__ import annotations

from textual.widgets import OptionList


class Menu(OptionList):
    """Turning a page before the list is laid out does nothing: Textual's own fails at that."""

    def _move_page(self, direction: int) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)  # type: ignore[arg-type]
