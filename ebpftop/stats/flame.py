"""Call stacks merged into a tree, and the layout of a flame graph: the cells of each frame on each line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ebpftop.rows.keys import Array

I64 = npt.NDArray[np.int64]

MORE, LESS = "+", "−"
_SEEN = 0.25  # growth from which a sign is shown: two fifths


@dataclass(frozen=True, eq=False, slots=True)
class Shares:
    """Percent of the total of each period, one a frame. own: of paths that end in the frame. total: of paths that
    contain it anywhere.
    """

    own_before: Array
    own: Array
    total_before: Array
    total: Array

    @property
    def own_change(self) -> Array:
        """The change of `own`, in percentage points."""
        return np.asarray(self.own - self.own_before)

    @property
    def total_change(self) -> Array:
        return np.asarray(self.total - self.total_before)


@dataclass(frozen=True, eq=False, slots=True)
class Paths:
    """Paths and their values. Path n is `flat[starts[n] : starts[n] + lengths[n]]`: numbers of frames from 0 on,
    outermost first. Paths may repeat. before: their values in an earlier period, if there is one to compare with.
    """

    flat: I64
    starts: I64
    lengths: I64
    values: I64
    before: I64 | None = None

    @classmethod
    def of(cls, paths: Sequence[Array], values: Array, before: Array | None = None) -> Paths:
        """Paths from one array a path."""
        flat = np.concatenate(paths) if len(paths) else np.zeros(0, np.int64)
        lengths = np.fromiter(map(len, paths), np.int64, len(paths))
        starts = np.cumsum(lengths) - lengths
        return cls(flat.astype(np.int64, copy=False), starts, lengths, values.astype(np.int64, copy=False), before)

    def renamed(self, names: Array) -> Paths:
        """The same paths with `names[frame]` in place of each frame."""
        return replace(self, flat=names[self.flat])

    def headed(self, heads: Array) -> Paths:
        """Each path with one more frame in front."""
        rows, frames = self._frames()
        lengths = self.lengths + 1
        starts = np.cumsum(lengths) - lengths
        flat = np.empty(len(frames) + len(self), np.int64)
        flat[starts] = heads
        flat[np.arange(len(frames)) + rows + 1] = frames
        return replace(self, flat=flat, starts=starts, lengths=lengths)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def total(self) -> int:
        return int(self.values.sum())

    @property
    def total_before(self) -> int:
        return 0 if self.before is None else int(self.before.sum())

    def take(self, rows: Array) -> Paths:
        """Some of the rows: indices or a mask."""
        before = None if self.before is None else self.before[rows]
        return Paths(self.flat, self.starts[rows], self.lengths[rows], self.values[rows], before)

    def under(self, path: Sequence[int]) -> Paths:
        """The rows whose paths begin with this one."""
        return self.take(self.rows(path)) if path else self

    def rows(self, path: Sequence[int]) -> I64:
        """The indices of the rows whose paths begin with this one."""
        rows = np.arange(len(self))
        for depth, frame in enumerate(path):
            rows = rows[self.lengths[rows] > depth]
            rows = rows[self.flat[self.starts[rows] + depth] == frame]
        return rows

    def through(self, wanted: npt.NDArray[np.bool_]) -> int:
        """The value of all rows that contain a wanted frame anywhere; `wanted` is a mask over frames."""
        rows, frames = self._frames()
        hit = np.zeros(len(self), bool)
        hit[rows[wanted[frames]]] = True
        return int(self.values[hit].sum())

    def totals(self, frames: int) -> tuple[I64, I64]:
        """(own, total) of each frame: values of paths that end in it, and of paths that contain it, once or several
        times.
        """
        own, total = np.zeros(frames, np.int64), np.zeros(frames, np.int64)
        some = self.take(self.lengths > 0)
        np.add.at(own, some.flat[some.starts + some.lengths - 1], some.values)
        rows, held = self._frames()
        codes = rows * frames + held
        codes.sort()
        rows, held = np.divmod(codes[_first_of_each(codes)], max(1, frames))
        np.add.at(total, held, self.values[rows])
        return own, total

    def shares(self, frames: int) -> Shares:
        """The shares of each frame in both periods."""
        before = self.before if self.before is not None else np.zeros_like(self.values)
        sides = []
        for values in (before, self.values):
            whole = int(values.sum())
            sides.append([100 * each / max(1, whole) for each in replace(self, values=values).totals(frames)])
        (own_before, total_before), (own, total) = sides
        return Shares(own_before, own, total_before, total)

    def _frames(self) -> tuple[I64, I64]:
        """(row, frame) of every frame of every path."""
        before = np.cumsum(self.lengths) - self.lengths
        at = np.repeat(self.starts - before, self.lengths) + np.arange(int(self.lengths.sum()))
        return np.repeat(np.arange(len(self)), self.lengths), self.flat[at]


@dataclass(eq=False, slots=True)
class Node:
    """A frame: equal paths up to here. own: value of the paths that end here. children: greatest first, without those
    too small to show. before: its value in the earlier period, if there is one.
    """

    frame: int
    value: int
    own: int = 0
    before: int = 0
    children: list[Node] = field(default_factory=list)

    def child(self, frame: int) -> Node | None:
        return next((child for child in self.children if child.frame == frame), None)


def grow(paths: Paths, least: int = 1, root: Sequence[int] = ()) -> Node:
    """The tree of the paths that begin with `root`, down to frames with a value of `least`.

    Each level takes one sort of the remaining rows; a frame that is too small is dropped along with everything below
    it.
    """
    depth = len(root)
    paths = paths.under(root)
    top = Node(root[-1] if root else -1, paths.total, before=paths.total_before)
    level, rows, above = [top], np.arange(len(paths)), np.zeros(len(paths), np.int64)
    span = int(paths.flat.max(initial=0)) + 1
    while True:
        ends = paths.lengths[rows] == depth
        own = np.zeros(len(level), np.int64)
        np.add.at(own, above[ends], paths.values[rows[ends]])
        for node, value in zip(level, own.tolist(), strict=True):
            node.own = value
        rows, above = rows[~ends], above[~ends]
        if not len(rows):
            return top
        codes = above * span + paths.flat[paths.starts[rows] + depth]
        order = np.argsort(codes, kind="stable")
        codes, rows = codes[order], rows[order]
        new = _first_of_each(codes)
        first = np.flatnonzero(new)
        sums = np.add.reduceat(paths.values[rows], first)
        past = np.zeros_like(sums) if paths.before is None else np.add.reduceat(paths.before[rows], first)
        kept = sums >= max(1, least)
        at = np.cumsum(new) - 1
        stay = kept[at]
        rows, above = rows[stay], (np.cumsum(kept) - 1)[at[stay]]
        level = _children(level, codes[new][kept], span, sums[kept], past[kept])
        depth += 1


def _children(level: list[Node], codes: I64, span: int, sums: I64, past: I64) -> list[Node]:
    parents, frames = np.divmod(codes, span)
    rows = zip(frames.tolist(), sums.tolist(), past.tolist(), strict=True)
    nodes = [Node(frame, value, before=before) for frame, value, before in rows]
    for node, parent in zip(nodes, parents.tolist(), strict=True):
        level[parent].children.append(node)
    for node in level:
        node.children.sort(key=lambda child: -child.value)
    return nodes


def _first_of_each(codes: I64) -> npt.NDArray[np.bool_]:
    """A mask of the first of equal neighbours."""
    return np.append(True, codes[1:] != codes[:-1]) if len(codes) else np.zeros(0, bool)


def growth(value: int, total: int, before: int, total_before: int) -> float:
    """How much a part of a total grew between two periods: -1 (to a quarter or less) to 1 (to four times or more).

    Shares are compared: if everything doubled, nothing grew.
    """
    if not total or not total_before:
        return 0.0
    expected = before * total / total_before
    return max(-1.0, min(1.0, math.log2((value + 1) / (expected + 1)) / 2))


def sign(grown: float) -> str:
    """`+` or `−`, shown before the name of a frame that grew or shrank by much."""
    return MORE if grown > _SEEN else LESS if grown < -_SEEN else ""


# ---------------------------------------------------------------- layout


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """Cells `start` to `end` of a line. node: None for frames too narrow to have a cell of their own. path: from the
    root on.
    """

    start: int
    end: int
    value: int
    node: Node | None
    path: tuple[int, ...]


def lay_out(root: Node, width: int, path: tuple[int, ...] = ()) -> list[list[Cell]]:
    """The frames line by line, the root's first: as wide as their value, each above its children, the greatest on the
    left.

    Frames narrower than a cell share one cell, to the right of the others. `path` leads to the root.
    """
    if root.value <= 0 or width < 1:
        return []
    line = [(Cell(0, width, root.value, root, path), 0)]
    lines = []
    while line:
        lines.append([cell for cell, _ in line])
        below: list[tuple[Cell, int]] = []
        for cell, left in line:
            if cell.node is not None:
                below += _below(cell.node, cell.path, left, root.value, width)
        line = below
    return lines


def _below(node: Node, path: tuple[int, ...], left: int, total: int, width: int) -> list[tuple[Cell, int]]:
    """The cells of a node's children; `left` is the value to the left of the node."""
    cells = []
    end = left + node.value - node.own
    for child in node.children:
        if child.value * width < total:
            break
        at = (_cell_of(left, total, width), _cell_of(left + child.value, total, width))
        cells.append((Cell(*at, child.value, child, (*path, child.frame)), left))
        left += child.value
    narrow = Cell(_cell_of(left, total, width), _cell_of(end, total, width), end - left, None, path)
    if narrow.end > narrow.start:
        cells.append((narrow, left))
    return cells


def _cell_of(value: int, total: int, width: int) -> int:
    """The cell edge nearest to a value."""
    return (2 * value * width + total) // (2 * total)
