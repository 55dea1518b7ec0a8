"""`python -m tests.support.stuck pipe|mutex|file [PATH]`: fifty threads that wait for one object, forever.

It prints the object's name: the pipe's name, the mutex's address or the file's path.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable

THREADS = 50


def stuck(kind: str, path: str) -> tuple[str, Callable[[], object]]:
    """The name, and a function that waits for the object."""
    if kind == "pipe":
        reader, _ = os.pipe()
        return os.readlink(f"/proc/self/fd/{reader}"), lambda: os.read(reader, 1)
    if kind == "mutex":
        libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        libc.pthread_mutex_lock(mutex)
        return f"futex {ctypes.addressof(mutex):#x}", lambda: libc.pthread_mutex_lock(mutex)
    file = os.open(path, os.O_RDONLY)
    return path, lambda: os.pread(file, 4096, 0)


if __name__ == "__main__":
    name, wait = stuck(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    for _ in range(THREADS):
        threading.Thread(target=wait, daemon=True).start()
    print(name, flush=True)
    sys.stdin.read()
    os._exit(0)
