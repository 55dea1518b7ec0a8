"""An axis of clock times, as one line of text."""

from __future__ import annotations

import numpy as np

from ebpftop.stats import formatting
from ebpftop.stats.heatmap import NS, Timeline

_APART = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)  # seconds
_TICK = "╵"
_ROOM = 12  # cells from one label to the next, at least


def time_axis(time: Timeline, cells: int) -> str:
    """Round times below their cells, and the end below the last cell; `cells` wide."""
    known = np.flatnonzero(time.cells >= 0)
    if not len(known):
        return ""
    column = time.cells[known]
    first, last = int(known[0]), int(known[-1])
    ahead = int(time.realtime[-1] - time.end[-1])
    end = int(time.end[-1]) + ahead
    begin = int(time.start[column[0]]) + ahead
    cell = (end - begin) / (last - first + 1)
    apart = next((each for each in _APART if each * NS >= _ROOM * cell), _APART[-1])
    line = [" "] * cells
    tail = _short(end, 1)
    _write(line, cells - len(tail), tail)
    for moment in range(-(-begin // (apart * NS)) * apart * NS, end, apart * NS):
        x = first + int((moment - begin) / cell)
        label = _TICK + _short(moment, apart)
        if x + len(label) < cells - len(tail):
            _write(line, x, label)
    return "".join(line)


def _write(line: list[str], x: int, text: str) -> None:
    for at, sign in enumerate(text, x):
        if 0 <= at < len(line):
            line[at] = sign


def _short(realtime_ns: int, apart: int) -> str:
    """`08:33:46`, or `08:33` if whole minutes are shown."""
    clock = formatting.clock(realtime_ns)
    return clock[:5] if apart >= 60 else clock[:8]
