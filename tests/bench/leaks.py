"""How much longer a program takes while its allocations are followed: it works, allocates, and leaks some of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.peers import environment, peers
from tests.bench.table import Row
from tests.bench.tool import ToolFailed, running
from tests.support.workloads import Worker

ROUNDS = 3
_MOST = 0.05  # that a probe without a breakpoint per malloc may add
_TITLE = "slow-down by {} of a program with 5,000 malloc and free a second, 1 MiB of it leaked"

# A quarter of a second of CPU time, as if it were a second's quarter: 25 times 10 ms of work.
WORK = """
import ctypes, hashlib, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
block = bytes(1 << 20)
def compute(times):
    for _ in range(times): hashlib.sha256(block)
began = time.process_time()
compute(20)
times = max(1, round(20 * 0.01 / (time.process_time() - began)))
def work():
    for _ in range(25):
        compute(times)
        for number in range(50): libc.free(libc.malloc(100 + number))
        ctypes.memset(libc.malloc(10486), 1, 10486)
"""


def rows() -> list[Row]:
    """Ours, each beside BCC's memleak."""
    peer = peers("memleak")[0]
    with Worker(WORK) as worker:
        theirs: list[float] = []
        note = peer.missing
        if peer.command:
            try:
                theirs = _slowed(worker, [*peer.command, "-p", str(worker.pid), "1"], environment())
            except ToolFailed as failure:
                note = str(failure)
        return [
            Row(_TITLE.format(name), _ours(worker, probe), peer.name, theirs, _percent, most=most, note=note)
            for name, probe, most in (
                ("heapgrowth", "memory/heapgrowth", _MOST),
                ("usermemleak", "memory/usermemleak", None),
            )
        ]


def _ours(worker: Worker, probe: str) -> list[float]:
    command = [sys.executable, "-m", "ebpftop", "run", probe, "-p", f"pid={worker.pid}", "--budget", "0"]
    return _slowed(worker, command)


def _slowed(worker: Worker, command: Sequence[str], around: Mapping[str, str] | None = None) -> list[float]:
    """What part of its CPU time it takes more, in each round. Raises `ToolFailed`."""
    before = [cpu_seconds(worker) for _ in range(ROUNDS)]
    with running(command, around if around is not None else environment()):
        under = [cpu_seconds(worker) for _ in range(ROUNDS)]
    return [taken / alone - 1 for taken, alone in zip(sorted(under), sorted(before), strict=True)]


def cpu_seconds(worker: Worker) -> float:
    """That it takes for its work."""

    def used() -> int:
        return int(Path(f"/proc/{worker.pid}/schedstat").read_text().split()[0])

    since = used()
    worker.work()
    return (used() - since) / 1e9


def _percent(part: float) -> str:
    return f"{part:.1%}"
