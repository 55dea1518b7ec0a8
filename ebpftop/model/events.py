"""The last events of one ring buffer, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from ebpftop.frames.columns import Values

Chunk = dict[str, Values]


class EventLog:
    """Events in their order, a chunk of columns a frame. `total` counts all ever added, `kept` those still here."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.total = 0
        self.kept = 0
        self._chunks: deque[Chunk] = deque()

    def add(self, columns: Chunk) -> None:
        """Append the rows of one frame; the oldest go when more than `limit` are kept."""
        rows = _rows(columns)
        if not rows:
            return
        self.total += rows
        self.kept += rows
        self._chunks.append(columns)
        if self.limit is not None:
            self._trim(self.kept - self.limit)

    def _trim(self, surplus: int) -> None:
        while surplus > 0:
            rows = _rows(self._chunks[0])
            if rows > surplus:
                self._chunks[0] = part(self._chunks[0], surplus, rows)
                rows = surplus
            else:
                self._chunks.popleft()
            surplus -= rows
            self.kept -= rows

    def since(self, number: int) -> Iterator[Chunk]:
        """Chunks with the events from `number` on (0 is the first ever), oldest first; those dropped are skipped."""
        first = self.total - self.kept
        for chunk in tuple(self._chunks):
            rows = _rows(chunk)
            if first + rows > number:
                yield chunk if number <= first else part(chunk, number - first, rows)
            first += rows

    def take(self) -> list[Chunk]:
        """Remove and return all kept chunks."""
        chunks = list(self._chunks)
        self._chunks.clear()
        self.kept = 0
        return chunks


def part(columns: Chunk, start: int, stop: int) -> Chunk:
    """Rows start…stop of every column."""
    rows = np.arange(start, stop)
    return {name: v[start:stop] if isinstance(v, np.ndarray) else v.take(rows) for name, v in columns.items()}


def _rows(columns: Chunk) -> int:
    return len(next(iter(columns.values()), ()))
