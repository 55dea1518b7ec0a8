"""A view of a run in its frame: a title, what is selected (window, filter, key), and its widgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from ebpftop.frames.messages import ViewInfo
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.widgets.cached import Column
from ebpftop.ui.widgets.rim import Rim

if TYPE_CHECKING:
    from ebpftop.model.ledger import Window
    from ebpftop.model.run import Run
    from ebpftop.ui.drawing.names import Processes


class Framed(Vertical, Rim):
    """A border with a title, highlighted while the focus is inside."""

    DEFAULT_CSS = """
    Framed {
        height: 1fr;
        border: round $rim;
        border-title-color: $quiet;
        border-title-style: none;
        border-subtitle-color: $quiet;
        padding: 0 0 0 1;
        &:focus-within { border: round $primary; border-title-color: $foreground; }
        &:nocolor:focus-within { border: heavy $primary; }
        &.-short {
            border: none;
            border-top: solid $rim;
            &:focus-within { border-top: solid $primary; }
            &:nocolor:focus-within { border-top: heavy $primary; }
        }
    }
    """

    def on_resize(self, _event: events.Resize) -> None:
        self.set_class(self.app.size.width < 100 or self.app.size.height < 30, "-short")


class FilterInput(Input):
    """An input line that is shown only while it filters."""

    DEFAULT_CSS = """
    FilterInput {
        height: 1;
        border: none;
        padding: 0 1;
        background: $bar-back;
        display: none;
        &:focus { border: none; }
        &.-open { display: block; }
    }
    """


class GridFrame(Framed):
    """A grid of rows, or something similar, with a filter line above it that opens on demand."""

    grid: Widget

    def __init__(self, grid: Widget) -> None:
        super().__init__()
        self.grid = grid
        self.filter = FilterInput(placeholder="filter", select_on_focus=False)

    def compose(self) -> Iterable[Widget]:
        yield self.filter
        yield self.grid

    def search(self, query: str) -> None:
        """Pass the filter's text to the grid."""
        raise NotImplementedError

    def ask_filter(self) -> None:
        self.filter.add_class("-open")
        self.screen.set_focus(self.filter)  # now, so that it gets the keys typed next

    def drop_filter(self) -> None:
        self.filter.value = ""
        self.filter.remove_class("-open")
        self.grid.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.search(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.filter.set_class(bool(event.value.strip()), "-open")
        self.grid.focus()

    def on_key(self, event: events.Key) -> None:
        if self.filter.has_focus and event.key == "escape":
            event.stop()
            self.drop_filter()
        elif self.filter.has_focus and event.key == "down":
            event.stop()
            self.grid.focus()


class ViewPanel(Column):
    """One view of a run. `show` draws it from the run's current state."""

    DEFAULT_CSS = """
    ViewPanel {
        height: 1fr;
        width: 1fr;
    }
    """
    TOGGLES_WINDOW: ClassVar[bool] = True

    class Stale(Message):
        """The panel's settings changed: draw the run again."""

    def __init__(self, view: ViewInfo) -> None:
        super().__init__()
        self.view = view
        self.window: Window = "interval"
        self.drawn: object = None  # stands for what was drawn last

    def show(self, run: Run, processes: Processes) -> None:
        raise NotImplementedError

    @property
    def grid_frame(self) -> GridFrame | None:
        """What `f` filters and what takes the focus; None if there are no rows."""
        raise NotImplementedError

    @property
    def stops(self) -> list[Widget]:
        """The focusable widgets, in order."""
        return [self.grid_frame.grid] if self.grid_frame else []

    def let_go(self) -> bool:
        """Esc: clear the filter, else the selected key, else the cursor; False if there was nothing to clear."""
        return False

    def toggle_window(self) -> None:
        self.window = "start" if self.window == "interval" else "interval"

    @property
    def has_past(self) -> bool:
        """Whether `toggle_past` has anything more to show."""
        return False

    def toggle_past(self) -> None:
        """Show the plot over time instead of the numbers, if there is no room for both."""

    def identities_on_screen(self) -> list[int]:
        """Identities of the processes in the rows on the screen."""
        return []

    def window_words(self, run: Run) -> str:
        """The time that the numbers cover."""
        if self.window == "start":
            return "since start"
        from ebpftop.model.readings import interval

        seconds = interval(run)
        return f"last {formatting.duration((round(seconds, 1) or seconds) * 1e9)}" if seconds else "first snapshot"


def words(*parts: str) -> Content:
    """A title: the parts, made inert, with dots between them."""
    return Content(" · ".join(inert(part) for part in parts if part))
