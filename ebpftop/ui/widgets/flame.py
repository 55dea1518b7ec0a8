"""A flame graph, the root on top: a frame's width is its value, and its callees are below it."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.message import Message
from textual.strip import Strip

from ebpftop.base.query import holds, words_of
from ebpftop.frames.columns import Array
from ebpftop.model.stacks import StackFrame
from ebpftop.stats import formatting
from ebpftop.stats.flame import Cell, Node, growth, sign
from ebpftop.ui.drawing.flame_colours import Palette
from ebpftop.ui.drawing.flame_lines import FlameLines, FlameState, Path
from ebpftop.ui.drawing.function_names import shortened
from ebpftop.ui.drawing.inert import cell as inert
from ebpftop.ui.drawing.line import Piece, painted, piece
from ebpftop.ui.widgets.frame_facts import Places, facts, places_at, whereabouts, why
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.painter import Painter

_NAMED = 40  # cells that the details have for a name
_LEFT = "▏"
# Without colour: a frame's left edge, and its fill.
_EDGES = {
    "user": ("│", "─"),
    "python": ("▌", "~"),
    "kernel": ("┃", "━"),
    "missing": ("┆", "┄"),
    "head": ("║", "═"),
}


class Flame(Painter, can_focus=True):
    """`show` sets the stacks; zoom, cursor and search are kept here and survive new stacks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"flame--quiet", "flame--cursor", "flame--cursor-quiet"}
    DEFAULT_CSS = """
    Flame {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 1 1;
        & > .flame--quiet { color: $quiet; }
        & > .flame--cursor { color: $background; background: $foreground; text-style: bold; }
        & > .flame--cursor-quiet { text-style: underline bold; }
        &:nocolor > .flame--cursor { text-style: reverse bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "zoom(1)", "zoom", key_display="Enter", tooltip="Zoom into a frame, or back out"),
        Binding("backspace", "zoom(-1)", "zoom out"),
        Binding("left,h", "aside(-1)", "frame to the left", show=False, tooltip="Go to the frame on the left or right"),
        Binding("right,l", "aside(1)", "frame to the right", show=False),
        Binding("w", "whole", "whole frame", show=False, tooltip="Show all that is known about a frame", id="whole"),
        *MOVES,
    ]

    class Arranged(Message):
        """Zoom, search or cursor changed: other widgets must be updated."""

    def __init__(self) -> None:
        super().__init__()
        self.state = FlameState()
        self.wanted = ""  # what is searched
        self.pinned: StackFrame | None = None  # the one function that is searched instead
        self.zoom: Path = ()
        self._zooms: list[Path] = []  # before this one
        self.cursor: Path | None = None  # may have no samples now; the longest part of it that has is shown
        self._lines = FlameLines(self.state)
        self._found: Array = np.zeros(0, bool)  # of its frames, those that the search is about
        self._here: Cell | None = None  # under the cursor
        self._place = "", ""  # of the frame under the cursor: in the source, in its module
        self._top = 0  # the line that was scrolled to, as long as nobody scrolls

    # ------------------------------------------------------------ what is shown

    def show(self, state: FlameState) -> None:
        self.state = state
        self._arrange()

    def search(self, query: str) -> None:
        """Mark the functions whose names contain all words of the query; none if it is empty."""
        self.wanted, self.pinned = query, None
        self._arrange()

    def pin(self, frame: StackFrame | None) -> None:
        """Mark this one function."""
        self.wanted, self.pinned = "", frame
        self._arrange()

    @property
    def searched(self) -> str:
        """The search's text or function, or ""."""
        return self.pinned.label if self.pinned else self.wanted

    @property
    def share(self) -> float:
        """Percent of the total in stacks that contain a match."""
        total = self.state.paths.total
        return 100 * self.state.paths.through(self._found) / total if total else 0.0

    def _arrange(self) -> None:
        self._lines = FlameLines(self.state, self.zoom, self.size.width)
        self._found = self._search()
        self.reach(self.size.width, len(self._lines))
        self._scroll_to_branches()
        self._locate()
        self.post_message(self.Arranged())

    def _scroll_to_branches(self) -> None:
        """Scroll a graph that is too high to its first branch, unless the user scrolled: above it, each function calls
        only the next.
        """
        if self.cursor is not None or self.scroll_offset.y != self._top:
            return
        top = max(0, min(self._lines.chain - 1, len(self._lines) - self.size.height))
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self._top = self.scroll_offset.y  # less before the first layout

    def _search(self) -> Array:
        frames, words = self._lines.frames, words_of(self.wanted)
        if self.pinned is None and not words:
            return np.zeros(len(frames), bool)
        if self.pinned is not None:
            found = (frame == self.pinned for frame in frames)
        else:
            found = (frame.side != "head" and holds(frame.label, words) for frame in frames)
        return np.fromiter(found, bool, len(frames))

    def _locate(self) -> None:
        """Find the cell of the cursor, or of its nearest drawn caller."""
        self._here = self._lines.nearest(self.cursor) if self.cursor is not None else None
        self._place = "", ""
        if self._here is not None:
            self._place = whereabouts(self._lines.frame(self._here), self.state.profile, self._places())
        self.update_lines()

    def _places(self) -> Places:
        """The places of the cursor's function, which may have several return addresses."""
        assert self._here is not None
        frame, depth = self._lines.frame(self._here), len(self._here.path) - 1 - self.state.headed
        if not frame.is_code or depth < 0:
            return Places()
        return places_at(self.state.profile, self._lines.rows(self._here).tolist(), depth)

    def _whose(self, cell: Cell) -> str:
        """The process of a frame: `yes 4711`, or how many there are."""
        state = self.state
        rows = self._lines.rows(cell).tolist()
        owners = sorted({state.owners[row] for row in rows if state.profile.counts[row]}) if state.headed else []
        return f"in {owners[0]}" if len(owners) == 1 else f"in {len(owners)} processes" if owners else ""

    @property
    def about(self) -> list[Piece]:
        """Details of the frame under the cursor, the most important first."""
        cell, state = self._here, self.state
        if cell is None or cell.node is None:
            callers = f"↑ {self._top} callers   " if self._top and self.scroll_offset.y == self._top else ""
            hint = piece(f"{callers}↓ enters the graph   Enter zooms   F searches", "$quiet")
            return [hint] if len(self._lines) and self.can_focus else []
        whole = state.paths.total
        pieces = [
            piece(shortened(inert(self._lines.frame(cell).label), max(_NAMED, self.size.width // 3)), "bold"),
            piece(formatting.value(cell.value, state.unit), rank=1),
            piece(f"{_percent(cell.value, whole)} of total", rank=2),
        ]
        if cell.path and (whose := self._whose(cell)):
            pieces.insert(1, piece(inert(whose), "$quiet", rank=2))
        if state.paths.before is not None:
            pieces.append(piece(f"{_percent(cell.node.before, state.paths.total_before)} before", rank=2))
        above = self._lines.above(cell)
        if above is not None and above.path:
            pieces.append(
                piece(f"{_percent(cell.value, above.value)} of {inert(self._lines.frame(above).label)}", rank=4)
            )
        if len(cell.path) >= len(self.zoom):
            pieces.append(piece(f"{_percent(cell.node.own, whole)} own", rank=3))
        lines, place = self._place
        if lines:
            pieces.append(piece(inert(lines), rank=2))
        if place:
            pieces.append(piece(inert(place), "$quiet", rank=5))
        return pieces

    # ------------------------------------------------------------ drawing

    def on_resize(self, _event: events.Resize) -> None:
        self._arrange()

    def line(self, y: int) -> Strip:
        width = self.size.width
        at = y + self.scroll_offset.y
        if at < len(self._lines):
            return self._line(self._lines[at], width)
        if at == len(self._lines) and self._lines.empty:
            somewhere = self.zoom or self.state.paths.before is not None
            empty = "no events in this interval" if somewhere else "no stacks yet"
            return Strip([Segment(empty, self.look("flame--quiet"))]).adjust_cell_length(width, self.look())
        return Strip.blank(width, self.look())

    def _line(self, line: list[Cell], width: int) -> Strip:
        segments: list[Segment] = []
        at = 0
        for cell in line:
            segments.append(Segment(" " * (cell.start - at), self.look()))
            segments += self._drawn(cell)
            at = cell.end
        return Strip(segments).adjust_cell_length(width, self.look())

    def _drawn(self, cell: Cell) -> list[Segment]:
        width = cell.end - cell.start
        if cell.node is None:
            return [Segment(_fitted("…", width, "…" if width < 3 else " "), self.look("flame--quiet"))]
        frame = self._lines.frame(cell)
        grown = self._grown(cell.node)
        change = sign(grown)
        label = change + shortened(inert(frame.label), max(1, width - 1 - len(change)))
        found = bool(cell.path) and bool(self._found[cell.path[-1]])
        faded = not found and (bool(self.searched) or len(cell.path) < len(self.zoom))
        if self.app.no_color:
            edge, fill = _EDGES[frame.side]
            style = Style(bold=found or None, underline=found or None, dim=faded or None)
            segments = [Segment(edge, style), Segment(_fitted(label, width - 1, fill), style)]
        else:
            palette = self._palette()
            if self.state.paths.before is None:
                style = _style(palette, frame, found=found, faded=faded)
            else:
                style = palette.growth(grown, found=found, faded=faded)
            segments = [Segment(_LEFT, palette.edge(style)), Segment(_fitted(label, width - 1, " "), style)]
        if cell is self._here:
            mark = self.mark("flame--cursor" if self.has_focus else "flame--cursor-quiet")
            segments = list(painted(Strip(segments), mark))
        return segments

    def _grown(self, node: Node) -> float:
        paths = self.state.paths
        return 0.0 if paths.before is None else growth(node.value, paths.total, node.before, paths.total_before)

    def _palette(self) -> Palette:
        variables = self.app.theme_variables
        return palette(self.app.current_theme.dark, variables["background"], variables["foreground"])

    # ------------------------------------------------------------ keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self.zoom) if (action, parameters) == ("zoom", (-1,)) else True

    def pointed(self) -> tuple[StackFrame, Array] | None:
        """The frame that a key acts on, and the profile's rows that contain it."""
        if self._here is None:
            self.go(self._start())
        here = self._here
        return None if here is None or not here.path else (self._lines.frame(here), self._lines.rows(here))

    def go(self, cell: Cell | None) -> None:
        """Put the cursor on a frame and scroll to it."""
        if cell is None or cell.node is None:
            return
        self.cursor = self._lines.path(cell)
        self._locate()
        line, top = len(cell.path), self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False)
        elif line >= top + self.size.height:
            self.scroll_to(y=line - self.size.height + 1, animate=False)
        self.post_message(self.Arranged())

    def let_go(self) -> None:
        """Clear the cursor."""
        self.cursor = None
        self._locate()
        self.post_message(self.Arranged())

    def action_move(self, step: int) -> None:
        """Go up to the caller, or down to the largest callee."""
        here = self._here
        if here is None:
            self.go(self._start())
        else:
            self.go(self._lines.below(here) if step > 0 else self._lines.above(here))

    def action_aside(self, step: int) -> None:
        self.go(self._lines.beside(self._here, step) if self._here is not None else self._start())

    def action_edge(self, side: int) -> None:
        """Go to the root, or down the largest callees to the last one."""
        if side < 0:
            self._zoom_to(())
        cell = self._lines.first(len(self.zoom)) if side < 0 else self._here or self._start()
        while side > 0 and cell is not None and (below := self._lines.below(cell)):
            cell = below
        self.go(cell)

    def action_page(self, direction: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + direction * max(1, self.size.height - 1), animate=False)

    def action_zoom(self, direction: int) -> None:
        if direction < 0:
            self.zoom_out()
            return
        self.go(self._here or self._start())
        if self._here is not None:
            self._zoom_to(self._lines.path(self._here))

    def action_whole(self) -> None:
        if self._here is None:
            self.go(self._start())
        if self._here is None or not self._here.path:
            return
        frame = self._lines.frame(self._here)
        known = facts(self.state.profile, self._places(), self.state.unit)
        what = "function" if frame.is_code else "frame"
        module = [("module", frame.origin)] if frame.origin else []
        self.post_message(Grid.Whole([(what, frame.label), *module, *why(frame), *known]))

    def zoom_out(self) -> bool:
        """Go back to the previous zoom; False if nothing is zoomed."""
        if not self.zoom:
            return False
        self.zoom = self._zooms.pop() if self._zooms else ()
        self._arrange()
        return True

    def on_click(self, event: events.Click) -> None:
        cell = self._lines.at(event.x, event.y + self.scroll_offset.y)
        if cell is not None and cell.node is not None:
            self.go(cell)
            self.action_zoom(1)

    def _zoom_to(self, path: Path) -> None:
        if path != self.zoom:
            self._zooms.append(self.zoom)
            self.zoom = path
            self._arrange()

    def _start(self) -> Cell | None:
        """The first visible frame that is as wide as the graph."""
        top = self._top if self.scroll_offset.y == self._top else 0
        return self._lines.first(max(len(self.zoom), top))


@lru_cache
def palette(dark: bool, background: str, foreground: str) -> Palette:
    return Palette(dark, Color.parse(background), Color.parse(foreground))


_style = lru_cache(maxsize=4096)(Palette.style)


def _percent(part: int, whole: int) -> str:
    return formatting.percent(100 * part / whole) if whole else "–"


def _fitted(label: str, width: int, fill: str) -> str:
    """The label in exactly `width` cells."""
    length = cell_len(label)
    if length <= width:
        return label + fill * (width - length)
    return set_cell_size(label, width - 1) + "…" if width > 2 else set_cell_size(label, max(0, width))
