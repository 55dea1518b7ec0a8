"""The trail of selections: what is selected in all views, step by step."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive

from ebpftop.model.chosen import choice_words
from ebpftop.model.selection import Choice
from ebpftop.ui.drawing.line import Piece, fit, piece
from ebpftop.ui.widgets.kept import Words


class Trail(Words):
    """One line, visible only while something is selected."""

    DEFAULT_CSS = """
    Trail {
        height: 1;
        padding: 0 1;
        display: none;
        &.-open { display: block; }
    }
    """

    choices: reactive[tuple[Choice, ...]] = reactive((), repaint=False)

    def watch_choices(self) -> None:
        self.set_class(bool(self.choices), "-open")
        self.update_lines()

    def words(self) -> Content:
        steps: list[Content | tuple[str, str]] = []
        for choice in self.choices:
            steps += [(" › ", "$quiet"), (choice_words(choice), "bold $primary")]
        path = Piece(Content.assemble(("only ", "$quiet"), *steps[1:]), 0)
        return fit([path], [piece("Bksp widens   ! all but", "$quiet", 1)], self.content_size.width)
