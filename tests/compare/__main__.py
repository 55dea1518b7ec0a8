"""`make compare`: bcc's tools and our probes on the same workload at the same time, as one table of what each counted.

Names of tools as arguments choose some of them.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from ebpftop.kernel import tracefs
from tests.bench.table import aligned
from tests.compare import tools
from tests.compare.theirs import NotHere
from tests.compare.tools import Row

HEADINGS = ("bcc's tool", "probe", "workload", "bcc", "ebpftop", "", "why")


def main(chosen: list[str]) -> int:
    """Compare; 0 if all agree, 1 if any differ without a reason, 3 without root."""
    if os.geteuid() != 0:
        print("comparing needs root: run it with sudo", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    tracefs.private_mounts()
    tracefs.mount_private()  # bcc's tools don't mount it themselves
    cells, differ = [], 0
    for name, compare in tools.ALL.items():
        if chosen and name not in chosen:
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # on a disk, which /tmp needn't be
            try:
                row = compare(Path(folder))
            except NotHere as reason:
                cells.append((name, "", "", "", "", "not here", str(reason)))
                continue
        cells.append(told(row))
        differ += cells[-1][5] == "DIFFERS"
    print(f"Linux {platform.release()}, {os.cpu_count()} CPUs\n")
    print(aligned([HEADINGS, *cells], {3, 4}))
    return 1 if differ else 0


def told(row: Row) -> tuple[str, ...]:
    apart = abs(row.ours - row.theirs)
    if apart == 0 and row.ours:
        verdict, why = "agree", ""
    elif apart <= row.slack and row.ours:
        verdict, why = "close", row.reason
    else:
        verdict, why = "DIFFERS", ""
    return (row.tool, row.probe, row.workload, f"{row.theirs:,}", f"{row.ours:,}", verdict, why)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
