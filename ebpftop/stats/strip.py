"""A sub-second offset heatmap of samples: a column a second, with a row for each part of the second.

It follows Brendan Gregg's subsecond offset heat maps (2009) and FlameScope (Netflix, 2018): short or periodic events
show as a pattern, whereas a plot of sums over seconds shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebpftop.rows.keys import Array

NS = 1_000_000_000
ROWS = (50, 20, 10, 5)  # parts of a second, of 20 to 200 ms


@dataclass(frozen=True, eq=False, slots=True)
class Strip:
    """counts: int64, a row for each part of the second, the first one first, and a column a second. begin: of the first
    column, ns.
    """

    begin: int
    counts: Array

    @classmethod
    def of(cls, times: Array, begin: int, columns: int, rows: int) -> Strip:
        """A strip from times: ns, of each sample. Samples outside of the columns are left out."""
        part = NS // rows
        at = (times - begin) // part
        at = at[(times >= begin) & (at < columns * rows)]
        return cls(begin, np.bincount(at, minlength=columns * rows).reshape(columns, rows).T)

    @property
    def part(self) -> int:
        """The length of a row in ns."""
        return NS // len(self.counts)

    @property
    def columns(self) -> int:
        return int(self.counts.shape[1])

    @property
    def end(self) -> int:
        return self.begin + self.columns * NS

    def cell(self, moment: int) -> tuple[int, int] | None:
        """Row and column of a moment; None outside of the strip."""
        if not self.begin <= moment < self.end:
            return None
        column, rest = divmod(moment - self.begin, NS)
        return rest // self.part, column

    def start(self, moment: int) -> int:
        """When the cell of a moment begins."""
        return moment - (moment - self.begin) % self.part

    def count(self, start: int, stop: int) -> int:
        """Samples in the cells from that of `start` to before that of `stop`."""
        first, last = ((moment - self.begin) // self.part for moment in (start, stop))
        return int(self.counts.T.reshape(-1)[max(0, first) : max(0, last)].sum())
