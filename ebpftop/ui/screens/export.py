"""Asks what to export, and in which format; the file is written while the dashboard goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ebpftop.export.comparison_text import view_as_text
from ebpftop.export.shown import rows_of
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import ViewInfo
from ebpftop.frames.tape_source import TapeSource
from ebpftop.model.chosen import chosen_words
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.readings import extent
from ebpftop.model.run import Run
from ebpftop.model.scope import Aspect, Place, Scope, place
from ebpftop.stats import formatting
from ebpftop.ui.actions.exporting import Choice, as_text, choices, exported, of_all, row_as_text
from ebpftop.ui.actions.saving import save
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.spans import clock
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.menu import Menu
from ebpftop.ui.widgets.panel import ViewPanel


class ExportScreen(Dialog[None]):
    DEFAULT_CSS = """
    ExportScreen {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 72;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 0 1;
        }
        & OptionList { height: auto; border: none; background: $surface; padding: 0; }
        & OptionList:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,E", "dismiss", "close", key_display="Esc"),
        Binding("j", "move(1)", "line down", show=False),
        Binding("k", "move(-1)", "line up", show=False),
    ]

    def __init__(self, feed: Feed, run: Run | None, panel: ViewPanel | None, aspects: Mapping[Place, Aspect]) -> None:
        """aspects: how the views of all probes are looked at."""
        super().__init__()
        self._session, self._run, self._view = feed.session, run, panel.view if panel else None
        self._tape = feed.playback.path if isinstance(feed.playback, TapeSource) else None
        wanted = panel.reads(feed.when.wanted) if panel else feed.when.wanted
        self._front = Scope(wanted, feed.selection.among(feed.session.processes), aspects)
        self._all = of_all(replace(self._front, wanted=feed.when.wanted))
        compared = _compared(feed, run, panel) if run and panel else None
        self.choices = choices(feed.session, run, panel.view if panel else None, compared, self._spans(feed))

    def _spans(self, feed: Feed) -> tuple[Span, Span] | None:
        """A and B, if they are compared."""
        a, b = feed.comparing.a, self._front.wanted
        if a is not None and not isinstance(b, Span) and self._run is not None and self._view is not None:
            b = extent(self._run, self._view, b).span or b
        return (a, b) if a is not None and isinstance(b, Span) else None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Export"
            box.border_subtitle = (
                "Enter writes a file   Esc closes" if self.choices else "nothing to export   Esc closes"
            )
            yield Menu(*(Option(self._words(each)) for each in self.choices), markup=False)

    def _words(self, choice: Choice) -> Content:
        scope = replace(self._all, wanted=ALL) if choice.spans else self._all
        what = self._of_view(choice.view) if choice.view else self._of_all(scope)
        return Content.assemble(inert(what), ("  as  ", "$quiet"), choice.title)

    def _of_view(self, view: ViewInfo) -> str:
        rows = rows_of(self._run, view, self._front) if self._run is not None else ()
        return " · ".join((view.title, *rows))

    def _of_all(self, scope: Scope) -> str:
        span = scope.wanted
        if not isinstance(span, Span) or span == ALL:
            what = "the whole tape" if self._tape else "all probes, all that is kept"
        else:
            newest = self._session.newest
            ahead = newest.realtime_ns - newest.monotonic_ns if newest else 0
            what = f"all probes, {clock(span.start, ahead)}–{clock(span.end, ahead)}"
        return ", ".join(filter(None, (what, chosen_words(scope.selection.choices))))

    def action_move(self, step: int) -> None:
        listed = self.query_one(OptionList)
        (listed.action_cursor_down if step > 0 else listed.action_cursor_up)()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        choice = self.choices[event.option_index]
        self.app.run_worker(self._write(choice), group="export")
        self.dismiss()

    async def _write(self, choice: Choice) -> None:
        try:
            scope = self._front if choice.view is not None else self._all
            content = await exported(choice, self._session, self._run, scope, self._tape)
            path = await asyncio.to_thread(save, choice.name, content, choice.ending)
        except (OSError, BadFrame) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.app.notify(inert(f"not exported: {why}"), severity="error", markup=False)
        else:
            self.app.notify(inert(f"{formatting.bytes_(len(content))} saved as {path}"), markup=False)


def copied(feed: Feed, run: Run, panel: ViewPanel) -> str:
    """The row under the cursor of the focused list, or else the view."""
    grid = panel.screen.focused
    if isinstance(grid, Grid) and grid.cursor is not None:
        return row_as_text(grid.whole(grid.cursor))
    if (compared := _compared(feed, run, panel)) is not None:
        said = rows_of(run, panel.view, Scope(selection=feed.selection))
        return "".join(f"{line}\n" for line in said) + view_as_text(compared)
    selection = feed.selection.among(feed.session.processes)
    scope = Scope(panel.reads(feed.when.wanted), selection, {place(run, panel.view): panel.aspect(run)})
    return as_text(feed.session, run, panel.view, scope)


def _compared(feed: Feed, run: Run, panel: ViewPanel) -> ViewComparison | None:
    """What is shown of A and B."""
    on = feed.comparing.on
    return feed.comparing.of(run, panel.view, feed.when.wanted, panel.selection, panel.group)[0] if on else None
