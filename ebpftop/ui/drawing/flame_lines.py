"""The frames of a flame graph line by line, and their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.model.stacks import Profile, StackFrame
from ebpftop.stats.flame import Cell, Node, Paths, grow, lay_out

Path = tuple[StackFrame, ...]

ALL = StackFrame("all", "", "head")
_CHAIN = 0.95  # of the width, of a frame that is as good as all of it


@dataclass(frozen=True, slots=True)
class FlameState:
    """What is drawn: paths of frames, one per row of `profile`. If they are `headed`, the first frame of a path isn't a
    function.

    owners: the process of each row, with its number: `yes 4711`.
    """

    paths: Paths = field(default_factory=lambda: Paths.of([], np.zeros(0, np.int64)))
    frames: Sequence[StackFrame] = ()
    profile: Profile = field(default_factory=Profile)
    owners: Sequence[str] = ()
    headed: bool = False
    unit: str = ""


class FlameLines:
    """A state laid out for a width, filled by `zoom`. frames: those of the state, and of a zoom that has no samples
    now; cells hold their indices. empty: whether nothing was counted inside the zoom.
    """

    def __init__(self, state: FlameState, zoom: Path = (), width: int = 0) -> None:
        self._paths, self._width = state.paths, width
        self.frames = list(dict.fromkeys((*state.frames, *zoom)))
        self._numbers = {frame: number for number, frame in enumerate(self.frames)}
        root = tuple(self._numbers[frame] for frame in zoom)
        inside = state.paths.under(root)
        drawn = lay_out(grow(inside, -(-inside.total // max(1, width)), root), width, root)
        self.empty = not drawn
        around = [self._around(root[:depth]) for depth in range(len(root) if drawn or not root else len(root) + 1)]
        self._lines = [*around, *drawn]

    def _around(self, path: tuple[int, ...]) -> list[Cell]:
        """A line of one frame around the zoom, as wide as the zoom."""
        under = self._paths.under(path)
        node = Node(path[-1] if path else -1, under.total, before=under.total_before)
        return [Cell(0, self._width, node.value, node, path)]

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, depth: int) -> list[Cell]:
        """A line; empty beyond the last one."""
        return self._lines[depth] if depth < len(self._lines) else []

    def frame(self, cell: Cell) -> StackFrame:
        return self.frames[cell.path[-1]] if cell.path else ALL

    def path(self, cell: Cell) -> Path:
        return tuple(self.frames[number] for number in cell.path)

    def rows(self, cell: Cell) -> Array:
        """The rows of the profile that contain it."""
        return self._paths.rows(cell.path)

    @property
    def chain(self) -> int:
        """The number of lines before the graph branches, where each function calls only the next."""
        least = _CHAIN * self._width
        narrower = (at for at, line in enumerate(self._lines) if max(each.end - each.start for each in line) < least)
        return next(narrower, len(self._lines))

    # ------------------------------------------------------------ from one to the next

    def nearest(self, path: Path) -> Cell | None:
        """The cell of this frame, or of its nearest drawn caller."""
        wanted = tuple(self._numbers.get(frame, -1) for frame in path)
        found = (self._cell(wanted[:depth]) for depth in range(len(wanted), -1, -1))
        return next((cell for cell in found if cell is not None), None)

    def _cell(self, path: tuple[int, ...]) -> Cell | None:
        return next((cell for cell in self[len(path)] if cell.node is not None and cell.path == path), None)

    def first(self, depth: int) -> Cell | None:
        return next(iter(self[depth]), None)

    def at(self, x: int, depth: int) -> Cell | None:
        return next((cell for cell in self[depth] if cell.start <= x < cell.end), None)

    def above(self, cell: Cell) -> Cell | None:
        """Its caller."""
        return self._cell(cell.path[:-1]) if cell.path else None

    def below(self, cell: Cell) -> Cell | None:
        """Its largest callee."""
        line = self[len(cell.path) + 1]
        return next((each for each in line if each.node is not None and each.path[:-1] == cell.path), None)

    def beside(self, cell: Cell, step: int) -> Cell | None:
        """The frame so many places to its right."""
        line = [each for each in self[len(cell.path)] if each.node is not None]
        at = line.index(cell) + step
        return line[at] if 0 <= at < len(line) else None
