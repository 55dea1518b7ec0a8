"""The last events of one ring buffer, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

import numpy as np

from ebpftop.frames.columns import Array, Values
from ebpftop.model.past.span import FIRST, Span

Chunk = dict[str, Values]


class EventLog:
    """Events in order, one chunk of columns per frame. `total` counts all ever added, `kept` those still here.

    bytes: of the chunks, as given when they were added.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.total = 0
        self.kept = 0
        self.bytes = 0
        self._chunks: deque[Chunk] = deque()
        self._sizes: deque[int] = deque()
        self._times: list[int] = []  # when samples were taken
        self._totals: list[int] = []  # and how many events there had been by then

    def add(self, columns: Chunk, size: int = 0) -> None:
        """Append the rows of one frame; beyond `limit` the oldest are dropped."""
        rows = _rows(columns)
        if not rows:
            return
        self.total += rows
        self.kept += rows
        self.bytes += size
        self._chunks.append(columns)
        self._sizes.append(size)
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
                self.bytes -= self._sizes.popleft()
            surplus -= rows
            self.kept -= rows
        self._forget_times()

    def sampled(self, monotonic_ns: int) -> None:
        """The events so far belong to the step that ends with this sample."""
        if self._totals and self._totals[-1] == self.total:
            return
        if self._times and self._times[-1] >= monotonic_ns:
            self._totals[-1] = self.total
            return
        self._times.append(monotonic_ns)
        self._totals.append(self.total)
        self._forget_times()

    def _forget_times(self) -> None:
        """Keep only the last time before the oldest event."""
        over = bisect_right(self._totals, self.total - self.kept) - 1
        if over > 0:
            del self._times[:over], self._totals[:over]

    def within(self, span: Span) -> range:
        """The numbers of the events in the steps that end in a span; some may have been dropped."""
        return range(self._by(span.start), self._by(span.end))

    def steps(self, span: Span) -> tuple[Array, Array, Array]:
        """(end, length in ns, events) of the steps that ended in a span and brought events."""
        first, stop = bisect_right(self._times, span.start), bisect_right(self._times, span.end)
        before = max(0, first - 1)
        ends, totals = (np.array(each[before:stop], np.int64) for each in (self._times, self._totals))
        lasted, came = (np.diff(each, prepend=each[:1])[first - before :] for each in (ends, totals))
        return ends[first - before :], lasted, came

    def ends(self, numbers: Array) -> Array:
        """The ends of the steps in which events came, by event number, monotonic ns."""
        totals, ends = np.array(self._totals, np.int64), np.array(self._times, np.int64)
        if not len(ends):
            return np.zeros(len(numbers), np.int64)
        return np.asarray(ends[np.minimum(np.searchsorted(totals, numbers, "right"), len(ends) - 1)])

    @property
    def whole_since(self) -> int:
        """The moment since which all events are kept."""
        dropped = self.total - self.kept
        at = min(bisect_left(self._totals, dropped), len(self._times) - 1)
        return self._times[at] if dropped and at >= 0 else FIRST

    def _by(self, monotonic_ns: int) -> int:
        """The number of events at the last sample up to then."""
        at = bisect_right(self._times, monotonic_ns)
        return self._totals[at - 1] if at else 0

    def shrink(self) -> bool:
        """Drop the older half."""
        if not self.kept:
            return False
        self._trim((self.kept + 1) // 2)
        return True

    def since(self, number: int) -> Iterator[Chunk]:
        """Chunks with the events from `number` on (0 is the first ever), oldest first; dropped events are skipped."""
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
        self._sizes.clear()
        self.kept = self.bytes = 0
        self._forget_times()
        return chunks


def part(columns: Chunk, start: int, stop: int) -> Chunk:
    """Rows start…stop of every column."""
    rows = np.arange(start, stop)
    return {name: v[start:stop] if isinstance(v, np.ndarray) else v.take(rows) for name, v in columns.items()}


def _rows(columns: Chunk) -> int:
    return len(next(iter(columns.values()), ()))
