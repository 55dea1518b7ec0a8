"""The panel of each kind of view while A and B are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from textual.content import Content
from textual.widget import Widget

from ebpftop.frames.messages import ViewInfo
from ebpftop.model.chosen import narrowing
from ebpftop.model.comparing import words as numbers
from ebpftop.model.comparing.view import ViewComparison, comparable, summed_by
from ebpftop.model.dimensions import Source
from ebpftop.model.grouping import groupings
from ebpftop.model.past.span import Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import Choice, Selection
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.columns import lay_out
from ebpftop.ui.widgets.compared_bars import BESIDE, ComparedBars
from ebpftop.ui.widgets.compared_rows import FIRST, PARTS, compared_rows, number_of
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.panel import Framed, GridFrame, ViewPanel, by, words
from ebpftop.ui.widgets.rows import Rows
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid

VARIES = "~ within normal variation   ? too short to tell"


Compared = tuple[ViewComparison | None, str]  # and what it lacks, or why there is none


class Comparing(Protocol):
    """The comparing side. on: whether spans are compared now, and with which A. state: changes whenever there is
    something new to draw.
    """

    @property
    def on(self) -> bool: ...

    @property
    def a(self) -> Span | None: ...

    @property
    def state(self) -> object: ...

    def of(
        self, run: Run, view: ViewInfo, wanted: Wanted, selection: Selection, group: Source | None = None
    ) -> Compared: ...


class ComparedGrid(TableGrid):
    """A table of changes. note: why there are no rows."""

    def __init__(self) -> None:
        super().__init__()
        self.note = ""

    @property
    def empty(self) -> str:
        return super().empty if self.wanted else self.note or numbers.NEITHER

    def _arrange(self) -> None:
        """The number that orders the rows is hidden last."""
        looks = [column.look for column in self.rows.columns]
        first = number_of(self.ordering or "")
        self.columns = [
            replace(each, priority=each.priority + FIRST) if first and number_of(each.name) == first else each
            for each in looks
        ]
        super()._arrange()

    def _measure(self) -> None:
        """Of a number, before, after and change are shown, or nothing; unless it orders the rows, or one scrolls."""
        super()._measure()
        if not self._skipped:
            parts = Counter(number_of(column.name) for column in self.shown_columns)
            always = ("", number_of(self.ordering or ""))
            kept = [
                column
                for column in self.shown_columns
                if (number := number_of(column.name)) in always or parts[number] == len(PARTS)
            ]
            if len(kept) < len(self._shown):
                room = self.size.width - 2 - len(f"+{len(self.columns)}›")
                self._shown = lay_out(kept, self._seen, max(1, room))


class ComparedPanel(ViewPanel):
    """One view in both spans. `show` requests the comparison and shows what is available."""

    def __init__(self, view: ViewInfo, comparing: Comparing) -> None:
        super().__init__(view)
        self._comparing = comparing

    def show(self, run: Run, processes: Processes, wanted: Wanted) -> None:
        found = self._comparing.of(run, self.view, wanted, self.selection, self.group)
        self.draw(found, leaves_out=self.leaves_out(run))

    @property
    def groupings(self) -> list[Source]:
        return groupings(self.view)

    @property
    def summed(self) -> Source | None:
        return summed_by(self.view, self.group)

    @property
    def always_groups(self) -> bool:
        return self.view.show == "events"

    def draw(self, compared: Compared, *, leaves_out: bool) -> None:
        """leaves_out: whether a ranking leaves out ebpftop's own processes."""
        raise NotImplementedError

    def about(self, compared: Compared) -> list[str]:
        """The title: the subject, what changed, and what is wrong."""
        found, note = compared
        return [narrowing(self.selection, self.view), "" if found is None else numbers.verdict(found), note]


class ComparedTablePanel(ComparedPanel):
    def __init__(self, view: ViewInfo, comparing: Comparing) -> None:
        super().__init__(view, comparing)
        self.grid = ComparedGrid()
        self.frame = TableFrame(view.title, self.grid)

    def compose(self) -> Iterable[Widget]:
        yield self.frame

    @property
    def grid_frame(self) -> GridFrame | None:
        return self.frame

    def draw(self, compared: Compared, *, leaves_out: bool) -> None:
        self.frame.title = by(self.title, self.summed)
        self.frame.span_words = " · ".join(part for part in self.about(compared) if part)
        self.fill(compared, leaves_out=leaves_out)

    def fill(self, compared: Compared, *, leaves_out: bool) -> None:
        found, note = compared
        self.grid.note = "" if found else note
        self.grid.leaves_out = leaves_out
        if found and self.grid.sort is None:
            self.grid.sort = f"{found.first.name}.change"
        self.grid.show(compared_rows(found) if found else Rows())

    @property
    def left_out(self) -> str:
        return self.frame.left_out

    def chosen(self, processes: Processes) -> tuple[list[Choice], list[Choice]]:
        return self.chosen_row(self.grid, processes)

    def let_go(self) -> bool:
        return self.frame.let_go()

    def identities_on_screen(self) -> list[int]:
        return self.grid.on_screen(self.view.process_field)


class ComparedHistogramPanel(ComparedTablePanel):
    """Both histograms on top; below, the same by key."""

    room = BESIDE

    DEFAULT_CSS = """
    ComparedHistogramPanel {
        & > .top { height: 1fr; min-height: 10; }
        & > GridFrame { height: 1fr; }
    }
    """

    def __init__(self, view: ViewInfo, comparing: Comparing) -> None:
        super().__init__(view, comparing)
        self.bars = ComparedBars()
        self.top = Framed(self.bars, classes="top")
        self._by = f"by {' and '.join(info.title.lower() for info in view.by_columns)}"

    def compose(self) -> Iterable[Widget]:
        yield self.top
        if self.view.by:
            yield self.frame

    @property
    def grid_frame(self) -> GridFrame | None:
        return self.frame if self.view.by else None

    def draw(self, compared: Compared, *, leaves_out: bool) -> None:
        found, note = compared
        judged = found is not None and not numbers.is_empty(found)
        self.top.entitle(words(self.title, *self.about(compared)), Content(VARIES if judged else ""))
        self.bars.note = note
        self.bars.found = found
        if self.view.by:
            self.frame.title = by("", self.summed) if self.summed else self._by
            self.frame.retitle()
            self.fill(compared, leaves_out=leaves_out)


class Sentence(Words, can_focus=True):
    """A line that says why there is nothing else."""

    text = ""

    def words(self) -> Content:
        return Content.styled(inert(self.text), "$quiet")


class UncomparedPanel(ComparedPanel):
    """A view that can't be compared, and why."""

    def __init__(self, view: ViewInfo, comparing: Comparing) -> None:
        super().__init__(view, comparing)
        self.sentence = Sentence()
        self.frame = Framed(self.sentence)

    def compose(self) -> Iterable[Widget]:
        yield self.frame

    @property
    def grid_frame(self) -> None:
        return None

    @property
    def stops(self) -> list[Widget]:
        return [self.sentence]

    def draw(self, compared: Compared, *, leaves_out: bool) -> None:
        self.frame.entitle(words(self.view.title, "not compared"))
        self.sentence.text = compared[1]
        self.sentence.update_lines()


def compared_panel(view: ViewInfo, comparing: Comparing) -> ComparedPanel:
    """The panel for a view; not for call stacks, which have none."""
    kinds = {"histogram": ComparedHistogramPanel, "table": ComparedTablePanel, "events": ComparedTablePanel}
    return (kinds[view.show] if comparable(view) else UncomparedPanel)(view, comparing)
