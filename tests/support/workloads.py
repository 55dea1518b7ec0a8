"""Processes that do a known amount of work on command; tests compare a probe's counts with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.support.processes import eventually

_PATIENCE = 60.0

# One byte in: work. One byte out: done. Nothing else is read or written, and only the work makes other system calls.
_LOOP = """
os.write(1, b"r")
while os.read(0, 1):
    work()
    os.write(1, b"d")
"""

# Threads that compute until the process has used this many seconds of CPU time.
SPIN = """
import hashlib, threading, time
def spin(end):
    while time.process_time() < end: hashlib.sha256(bytes(1 << 14)).digest()
def work():
    end = time.process_time() + float(sys.argv[2])
    threads = [threading.Thread(target=spin, args=(end,)) for _ in range(int(sys.argv[1]) - 1)]
    for each in threads: each.start()
    spin(end)
    for each in threads: each.join()
"""


class Worker:
    """A separate Python, blocked until `work()` lets it run its function `work` once.

    `code` defines that function; os, sys and all modules that it imports are loaded before. `name`: its comm. `cpu`:
    the one to which it is pinned. `prepare` runs in it before anything else.
    """

    def __init__(
        self,
        code: str,
        *args: object,
        name: str = "",
        cpu: int | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        lines = ["import os, sys, gc", "gc.disable()"]
        if cpu is not None:
            lines.append(f"os.sched_setaffinity(0, [{cpu}])")
        if name:
            lines.append(f"open('/proc/self/comm', 'w').write({name!r})")
        self._process = subprocess.Popen(
            [sys.executable, "-c", "\n".join([*lines, code, _LOOP]), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            preexec_fn=prepare,
        )
        self.pid = self._process.pid
        self._expect(b"r")

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"g")

    def finish(self) -> None:
        """Wait until it has done its work and is blocked again."""
        self._expect(b"d")

    def work(self) -> None:
        self.start()
        self.finish()

    def _expect(self, byte: bytes) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == byte, "the worker ended"
        eventually(lambda: self.stat()[0] == "S", "the worker waits", _PATIENCE)

    def stat(self) -> list[str]:
        """Fields of /proc/PID/stat from the third (the state) on, see proc(5)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()

    def faults(self) -> int:
        """Page faults that the kernel has accounted to it, minor and major."""
        return int(self.stat()[7]) + self.major_faults()

    def major_faults(self) -> int:
        """Of these, the major ones: those that had to wait for a disk."""
        return int(self.stat()[9])

    def timeslices(self) -> int:
        """How often it was put on a CPU, as the scheduler counts."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[2])

    def switches(self) -> int:
        """How often it left a CPU, as the scheduler counts."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def run_programs(count: int, path: str = "/bin/true") -> list[int]:
    """Start a program this many times, one after another, each with its number as argument; returns their pids."""
    pids = []
    for number in range(count):
        pid = os.posix_spawn(path, [path, f"number {number}"], {})
        os.waitpid(pid, 0)
        pids.append(pid)
    return pids


def cgroup_root() -> Path | None:
    """The mount point of the cgroup2 hierarchy."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None
