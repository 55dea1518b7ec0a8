"""Decides how many tiles fit on the screen, and which are shown."""

from __future__ import annotations

from math import ceil

LEAST_WIDTH, LEAST_HEIGHT = 56, 8  # cells of a tile, including its border
ROOMY = 14  # lines from which a tile should get wider rather than taller


def arrangement(tiles: int, width: int, height: int) -> tuple[int, int]:
    """Columns and rows of tiles in `width` × `height` cells; (1, 1) if no two fit side by side. The rest are on other
    pages.
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
    """The tiles shown while `current` is the current one."""
    first = current // capacity * capacity
    return range(first, min(first + capacity, tiles))
