"""The cells of a heatmap as numbers, each for a colour level and the sign over it."""

from __future__ import annotations

import numpy as np
from rich.color import Color
from rich.style import Style

from ebpftop.frames.columns import Array
from ebpftop.model.heat import Region
from ebpftop.ui.drawing.heat_layout import LEVELS, Laid

SHADES = " ·:+░▒▓█"  # of the levels without colour, from none on
LINES = ("─", "━")  # of `PERCENTILES`
HERE = "╋"
LABEL = 9  # cells of the labels on the left of it
GAP = LEVELS + 1  # the level of a cell of which nothing is known

_BASE = 16  # more than levels, none, and the gap; a cell's number is its level and `_BASE` times what lies over it
_OVER = ["", *LINES, HERE, *"═║╔╗╚╝"]


def sign_and_level(cell: int) -> tuple[str, int]:
    """The sign and level of a cell's number; "" for no sign."""
    over, level = divmod(cell, _BASE)
    return _OVER[over], level


def cells_of(laid: Laid, region: Region | None, here: tuple[int, int] | None) -> Array:
    """The content of each cell, by row and column. here: the cursor's column and row."""
    column = laid.heat.time.cells
    there = column >= 0
    x = np.flatnonzero(there)
    cells = np.where(there, laid.levels[:, column], GAP)
    cells[:, : x[0] if len(x) else None] = 0  # nothing is missing before the past begins
    for sign, rows in zip(LINES, laid.lines, strict=True):
        drawn = x[rows[column[x]] >= 0]
        _put(cells, rows[column[drawn]], drawn, sign)
    if region is not None:
        _frame(laid, cells, region)
    if here is not None:
        _put(cells, here[1], np.flatnonzero(column == here[0]), HERE)
    return cells


def _put(cells: Array, rows: Array | int, x: Array | int, sign: str) -> None:
    """Put a sign over these cells, replacing another one."""
    cells[rows, x] = cells[rows, x] % _BASE + _BASE * _OVER.index(sign)


def _frame(laid: Laid, cells: Array, region: Region) -> None:
    """Draw a frame around the region."""
    time = laid.heat.time
    inside = (time.end > region.span.start) & (time.start < region.span.end)
    x = np.flatnonzero((time.cells >= 0) & inside[time.cells])
    rows = [row for row in range(laid.rows) if laid.edges[row] < region.high and laid.edges[row + 1] > region.low]
    if not len(x) or not rows:
        return
    left, right, low, high = int(x[0]) - 1, int(x[-1]) + 1, rows[0] - 1, rows[-1] + 1
    edges = [(at, row, "═") for at in range(left + 1, right) for row in (low, high)]
    edges += [(at, row, "║") for at in (left, right) for row in range(low + 1, high)]
    edges += [(left, high, "╔"), (right, high, "╗"), (left, low, "╚"), (right, low, "╝")]
    for at, row, sign in edges:
        if 0 <= row < laid.rows and 0 <= at < cells.shape[1]:
            _put(cells, row, at, sign)


def readable(background: Color | None) -> Style:
    """Bold, in black or white on a level's colour."""
    if background is None:
        return Style(bold=True)
    red, green, blue = background.get_truecolor()
    light = 0.299 * red + 0.587 * green + 0.114 * blue > 110
    return Style(bold=True, color="#000000" if light else "#ffffff")
