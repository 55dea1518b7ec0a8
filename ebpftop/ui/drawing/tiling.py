"""How many tiles stand side by side, and which of them: arithmetic of cells."""

from __future__ import annotations

from math import ceil

LEAST_WIDTH, LEAST_HEIGHT = 56, 8  # cells of a tile, its rim included
ROOMY = 14  # lines from which a tile is better made wider than taller


def arrangement(tiles: int, width: int, height: int) -> tuple[int, int]:
    """Columns and rows of tiles in `width` × `height` cells; one of each where no two fit side by side. What doesn't
    fit is on another page.
    """
    most = width // LEAST_WIDTH
    if most < 2 or height < LEAST_HEIGHT or tiles < 2:
        return 1, 1
    for columns in range(2, most + 1):
        rows = ceil(tiles / columns)
        if height // rows >= ROOMY:
            return columns, rows
    return most, min(ceil(tiles / most), height // LEAST_HEIGHT)


def page(tiles: int, current: int, capacity: int) -> range:
    """The tiles that are shown while one is current."""
    first = current // capacity * capacity
    return range(first, min(first + capacity, tiles))
