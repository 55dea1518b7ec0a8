"""A view of a run in its frame: a title, the selection (span, filter, key), and its widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from ebpftop.frames.messages import ViewInfo
from ebpftop.model.chosen import lacking
from ebpftop.model.dimensions import Source
from ebpftop.model.selection import EVERYTHING, Choice, Selection
from ebpftop.ui.drawing.inert import for_input, inert
from ebpftop.ui.messages import Changed
from ebpftop.ui.widgets.cached import Column
from ebpftop.ui.widgets.rim import Rim

if TYPE_CHECKING:
    from ebpftop.frames.columns import Array, Values
    from ebpftop.model.past.span import Span, Wanted
    from ebpftop.model.run import Run
    from ebpftop.model.scope import Aspect
    from ebpftop.ui.drawing.names import Processes
    from ebpftop.ui.widgets.table_grid import TableGrid


RESTS = 0.2  # seconds after which typing rests: the timeline of an hour takes a moment


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
        self._resting: Timer | None = None  # until a filter that was typed counts elsewhere too

    def compose(self) -> Iterable[Widget]:
        yield self.filter
        yield self.grid

    def search(self, query: str) -> None:
        """Pass the filter's text to the grid."""
        raise NotImplementedError

    @property
    def wanted_text(self) -> str:
        """The filter's text."""
        return self.filter.value.strip()

    def ask_filter(self) -> None:
        self.filter.add_class("-open")
        self._focus(self.filter)

    def _focus(self, widget: Widget) -> None:
        """Focus it now, so that it gets the keys typed next, unless this panel is only being mounted."""
        if self.is_attached:
            self.screen.set_focus(widget)

    def fill_filter(self, text: str) -> None:
        """Filter by a text from the machine or a tape."""
        text = for_input(text)
        self.filter.value = text
        self.filter.add_class("-open")
        self.search(text)

    def drop_filter(self) -> None:
        self.filter.value = ""
        self.filter.remove_class("-open")
        self._focus(self.grid)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.search(event.value.strip())
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(RESTS, lambda: self.post_message(Changed()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.filter.set_class(bool(event.value.strip()), "-open")
        self._focus(self.grid)

    def on_key(self, event: events.Key) -> None:
        if self.filter.has_focus and event.key == "escape":
            event.stop()
            self.drop_filter()
        elif self.filter.has_focus and event.key == "down":
            event.stop()
            self._focus(self.grid)


class ViewPanel(Column):
    """One view of a run. `show` draws its numbers in a span."""

    DEFAULT_CSS = """
    ViewPanel {
        height: 1fr;
        width: 1fr;
    }
    """

    room: ClassVar[int] = 65  # cells that it wants before another view stands beside it

    class Stale(Message):
        """The panel's settings changed: draw the run again."""

    def __init__(self, view: ViewInfo) -> None:
        super().__init__()
        self.view = view
        self.drawn: object = None  # stands for what was drawn last
        self.with_own = False  # whether a ranking shows ebpftop's own processes
        self.selection: Selection = EVERYTHING  # of its rows
        self.group: Source | None = None  # by which rows are summed
        self.against: Span | None = None  # A, where spans are compared

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        raise NotImplementedError

    def reads(self, wanted: Wanted) -> Wanted:
        """The span that it shows when this one is wanted."""
        return wanted

    def moves(self, wanted: Wanted) -> Wanted:
        """The span that keys move when this one is wanted."""
        return self.reads(wanted)

    def aspect(self, run: Run) -> Aspect:
        """How it is looked at."""
        from ebpftop.model.scope import Aspect

        query = self.grid_frame.wanted_text if self.grid_frame is not None else ""
        own = None if not self.ranks else not self.leaves_out(run)
        return Aspect(by=self.summed, query=query, own=own)

    @property
    def title(self) -> str:
        """The view's title, with the parts of the selection that don't narrow it."""
        return " · ".join(part for part in (self.view.title, lacking(self.selection, self.view)) if part)

    @property
    def rows_view(self) -> ViewInfo:
        """The subject of its rows: the view, or groups of it."""
        from ebpftop.model.grouping import grouped_view

        return grouped_view(self.view, self.summed) if self.summed else self.view

    @property
    def summed(self) -> Source | None:
        """The dimension that sums its rows."""
        return self.group

    def apart(self, run: Run, keys: Mapping[str, Values], count: int, processes: Processes) -> Array:
        """A mask of rows that aren't summed with others: ebpftop's own, if a ranking leaves them out."""
        import numpy as np

        from ebpftop.model.dimensions import keys_of
        from ebpftop.model.own import own_rows

        return own_rows(keys_of(self.view), keys, count, processes) if self.leaves_out(run) else np.zeros(count, bool)

    @property
    def groupings(self) -> list[Source]:
        """The dimensions that can sum its rows."""
        return []

    @property
    def always_groups(self) -> bool:
        """Whether it never shows single rows."""
        return False

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        """The values that the cursor's row can be selected by, and those that its process shares with others."""
        return [], []

    def chosen_row(self, grid: TableGrid, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        """The same for a table of its rows or groups."""
        from ebpftop.model.selection import choices_of

        pointed = grid.pointed()
        if grid.rows.tree is not None and self.group is not None:
            return grid.rows.tree.choices("".join(map(str, pointed.values())), processes, self.group), []
        return choices_of(self.rows_view, pointed, processes)

    @property
    def grid_frame(self) -> GridFrame | None:
        """The grid that `f` filters and that takes the focus; None if there are no rows."""
        raise NotImplementedError

    @property
    def stops(self) -> list[Widget]:
        """The focusable widgets, in order."""
        return [self.grid_frame.grid] if self.grid_frame else []

    def let_go(self) -> bool:
        """Esc: clear the filter, else the selected key, else the cursor; False if there was nothing to clear."""
        return False

    @property
    def ranks(self) -> bool:
        """Whether it ranks processes, and so may leave out ebpftop's own."""
        return self.view.show != "events" and self.view.process_field is not None

    def toggle_own(self) -> None:
        self.with_own = not self.with_own

    def leaves_out(self, run: Run) -> bool:
        from ebpftop.model.own import leaves_out

        return not self.with_own and leaves_out(run.params)

    @property
    def left_out(self) -> str:
        """The title's words for rows left out; empty if there are none."""
        return ""

    @property
    def has_past(self) -> bool:
        """Whether `toggle_past` has anything more to show."""
        return False

    def toggle_past(self) -> None:
        """Show the plot over time instead of the numbers, if there is no room for both."""

    def identities_on_screen(self) -> list[int]:
        """Identities of the processes in the visible rows."""
        return []


def without(value: str) -> str:
    """The title's words for what a ranking leaves out. value: formatted, with its unit."""
    return f"without ebpftop's own {value} (M)"


def words(*parts: str) -> Content:
    """A title: the inert parts, with dots between them."""
    return Content(" · ".join(inert(part) for part in parts if part))


def by(title: str, group: Source | None) -> str:
    """A title with the dimension that sums the rows."""
    return " · ".join(part for part in (title, f"by {group.title}" if group else "") if part)
