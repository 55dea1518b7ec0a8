"""Memory of each of our processes while runqlat runs, against BCC's tool: resident (RSS) and private (USS).

Private is what a process alone has touched; what it shares with others is code of libraries and, as ours are forked
from one another, memory none of them changed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.peers import environment, peers
from tests.bench.starting import OURS
from tests.bench.table import Row, mib
from tests.bench.tool import ToolFailed, running
from tests.support.processes import children
from tests.support.terminal import terminal

_SETTLED = 3.0  # seconds after which the tool has read its maps a few times
_TARGETS = {"collect": 1 / 4}
_NAMES = {"collect": "collector", "dashboa": "dashboard"}


def rows() -> list[Row]:
    """Two rows a process of ours."""
    peer = peers("runqlat")[0]
    theirs, note = None, peer.missing
    if peer.command:
        try:
            with running([*peer.command, "-P", "1"], environment()) as tool:
                time.sleep(_SETTLED)
                theirs = _sizes(tool.process.pid)
        except ToolFailed as failure:
            note = str(failure)
    with running(OURS) as tool:
        time.sleep(_SETTLED)
        ours = _processes(tool.process.pid)
    with _dashboard() as pid:
        ours |= {name: sizes for name, sizes in _processes(pid).items() if name not in ours}
    return [
        Row(
            f"{what} memory, {_NAMES.get(name, name)}",
            [sizes[at]],
            peer.name,
            [theirs[at]] if theirs else [],
            mib,
            _TARGETS.get(name),
            note,
        )
        for name, sizes in ours.items()
        for at, what in enumerate(("resident", "private"))
    ]


def _processes(pid: int) -> dict[str, tuple[float, float]]:
    """Sizes by the name each process gives itself."""
    return {"supervisor": _sizes(pid)} | {name: _sizes(each.pid) for name, each in children(pid).items()}


def _sizes(pid: int) -> tuple[float, float]:
    """(resident, private) in bytes, from /proc/PID/smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return kib["Rss"] * 1024.0, (kib["Private_Clean"] + kib["Private_Dirty"]) * 1024.0


@contextlib.contextmanager
def _dashboard() -> Iterator[int]:
    """The dashboard with runqlat on its screen, in a terminal of 120 × 40: the supervisor's process id."""
    with terminal([sys.executable, "-m", "ebpftop"]) as pane:
        pane.wait_for("Catalog", "runqlat")
        pane.keys("/")
        pane.type("runqlat")
        pane.wait_for("cpu/runqlat")
        pane.keys("Enter", "Enter")
        pane.wait_for("Wait for a CPU", "p99")
        time.sleep(_SETTLED)
        yield pane.pid()
        pane.keys("q")
        pane.wait_for_end()
