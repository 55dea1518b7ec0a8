"""`python -m tests.support.supervised FOLDER`: the program's own supervisor and collector.

The process at the other end of its standard input receives their stream of frames, and ends them by closing it.
`RUNTIMES_ROOT` in its environment names a folder with container runtimes' state on disk, in place of "/".
"""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from pathlib import Path

from ebpftop.commands import tracing
from ebpftop.loader import containers


def give_away(_: socket.socket, stream: socket.socket) -> int:
    """The consumer in place of a dashboard: passes on its stream."""
    with socket.socket(fileno=0) as wanted:
        socket.send_fds(wanted, [b"."], [stream.fileno()])
        stream.close()
        wanted.recv(1)
    return 0


if __name__ == "__main__":
    if root := os.environ.get("RUNTIMES_ROOT"):
        containers.run = partial(containers.run, root=Path(root))
    sys.exit(tracing.supervise([Path(folder) for folder in sys.argv[1:]], give_away, screen=False, budget=0.0))
