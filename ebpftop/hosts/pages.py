"""Maps numbers of several independent streams to numbers of one stream, in pages, so that the table stays small."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Array

_BITS = 12
_PAGE = 1 << _BITS
_PAGES = 1 << (32 - _BITS)  # numbers must fit columns of 32 bits
_MOST = _PAGES >> 6  # of one connection


class Pool:
    """The pages of one kind of numbers, shared by all connections. The first and the last page are reserved."""

    def __init__(self) -> None:
        self._next: Iterator[int] = count(1)

    def take(self) -> int:
        page = next(self._next)
        if page >= _PAGES - 1:
            raise BadFrame("no numbers are left for processes or stacks")
        return page


class Pages:
    """The numbers of one connection. kept: numbers with the same meaning everywhere."""

    def __init__(self, pool: Pool, kept: tuple[int, ...] = ()) -> None:
        self._pool, self._kept = pool, kept
        self._known: dict[int, int] = {}
        self._back: dict[int, int] = {}

    def one(self, number: int) -> int:
        if number in self._kept:
            return number
        return self._page(number >> _BITS) << _BITS | number & (_PAGE - 1)

    def all(self, numbers: Array) -> Array:
        wide = numbers.astype(np.int64)
        pages, at = np.unique(wide >> _BITS, return_inverse=True)
        kept = np.isin(wide, self._kept)
        needed = np.zeros(len(pages), bool)
        needed[at[~kept]] = True
        mine = np.array(
            [self._page(page) if used else 0 for page, used in zip(pages.tolist(), needed.tolist(), strict=True)],
            np.int64,
        )
        return np.where(kept, wide, mine[at] << _BITS | wide & (_PAGE - 1))

    def _page(self, page: int) -> int:
        if page not in self._known:
            if page < 0 or len(self._known) >= _MOST:
                raise BadFrame("it numbers more processes or stacks than a machine can have")
            self._known[page] = self._pool.take()
            self._back[self._known[page]] = page
        return self._known[page]

    def back(self, number: int) -> int | None:
        """The connection's number for one of ours; None if there is none."""
        page = self._back.get(number >> _BITS)
        return None if page is None else page << _BITS | number & (_PAGE - 1)
