"""`python -m tests.support.worker NAME`: a process with known threads, files, sockets and limits.

It prints the paths and ports of what it has opened as JSON, and ends when its standard input ends.
"""

from __future__ import annotations

import ctypes
import json
import resource
import socket
import sys
import tempfile
import threading
from pathlib import Path

THREADS, FILES, OPEN_FILES = 3, 4, 777
_PR_SET_NAME = 15


def main() -> int:
    """Open everything, and wait; returns 0."""
    name = sys.argv[1].encode()
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)
    stopped = threading.Event()
    for _ in range(THREADS):
        threading.Thread(target=stopped.wait, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="worker\x1b[2J-") as folder:
        paths = [Path(folder, f"file {number}") for number in range(FILES)]
        files = [path.open("w") for path in paths]
        listening = socket.create_server(("127.0.0.1", 0))
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        local = socket.socket(socket.AF_UNIX)
        local.bind(f"{folder}/socket")
        opened = {
            "files": [str(path) for path in paths],
            "listens": listening.getsockname()[1],
            "unix": f"{folder}/socket",
        }
        opened["connected"] = near.getsockname()[1]
        print(json.dumps(opened), flush=True)
        sys.stdin.read()
        for each in (*files, far, near, local, listening):
            each.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
