"""From request to first data: `ebpftop run cpu/runqlat` against the peers' runqlat.

Ours is timed to the first line of numbers. A peer is timed to the line that says it traces, which is before its first
histogram: that comes an interval later, or when it is stopped.
"""

from __future__ import annotations

import sys

from tests.bench.peers import environment, peers
from tests.bench.table import Row, s
from tests.bench.tool import ToolFailed, running

ROUNDS = 3
WHAT = "from asking to first data, runqlat"
OURS = [sys.executable, "-m", "ebpftop", "run", "cpu/runqlat", "--format", "json", "--interval", "0.2"]
TARGETS = {"runqlat-bpfcc": 1 / 3}


def rows() -> list[Row]:
    """Ours and each peer's, started in turn; a first start of each, which warms the page cache, isn't counted."""
    tools = {"ebpftop": OURS} | {peer.name: peer.command for peer in peers("runqlat") if peer.command}
    times: dict[str, list[float]] = {name: [] for name in tools}
    notes = {peer.name: peer.missing for peer in peers("runqlat") if not peer.command}
    for number in range(ROUNDS + 1):
        for name, command in tools.items():
            if name in notes:
                continue
            try:
                with running(command, environment()) as tool:
                    if number:
                        times[name].append(tool.began)
            except ToolFailed as failure:
                notes[name] = str(failure)
    return [
        Row(WHAT, times["ebpftop"], name, times.get(name, []) if name not in notes else [], s, TARGETS.get(name), note)
        for name, note in [(peer.name, notes.get(peer.name, "")) for peer in peers("runqlat")]
    ]
