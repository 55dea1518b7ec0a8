"""What stacks cost that are unwound from copies, beside those that the kernel walks by frame pointers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from tests.bench.table import Row, mib
from tests.bench.tool import Tool, running
from tests.support.processes import children

ROUNDS = 2
FREQUENCY = 499  # so that there are enough samples; the costs are each one's
COLD, WARM = 2, 6  # seconds: what is read while names and tables are new isn't counted
MOST_SLOWER = 0.02  # of the program's time, with the default of 49 samples a second
_DEFAULT = 49
MOST_OF_POINTERS = 1.1  # of the time with frame pointers, where each wait has its stack

_WORK = """
import json, re
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
while True:
    fibonacci(15)
    json.loads(json.dumps({"a": [1, 2, 3] * 100}))
    re.sub("a+", "b", "aaab" * 50)
    sorted(range(1000), key=lambda number: -number)
"""
_LIBRARIES = (
    """
import ctypes, glob
for path in sorted(glob.glob("/usr/lib/x86_64-linux-gnu/lib*.so.*"))[:200]:
    try: ctypes.CDLL(path)
    except OSError: pass
"""
    + _WORK
)

_TURNS = """
import os
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
here, there = os.pipe(), os.pipe()
if os.fork():
    while True: os.write(there[1], b"x"); os.read(here[0], 1)
while os.read(there[0], 1): os.write(here[1], b"x")
"""


class Cost(NamedTuple):
    """Of a sample, in seconds: of the collector, and of the programs. memory: the collector's own, in bytes."""

    collector: float
    program: float
    memory: float


def rows() -> list[Row]:
    """Copies and frame pointers, in turn."""
    dwarf, fp = [], []
    for _ in range(ROUNDS):
        dwarf.append(_cost("dwarf", _WORK))
        fp.append(_cost("fp", _WORK))
    many = _cost("dwarf", _LIBRARIES)
    slower = [each.program * _DEFAULT for each in dwarf]
    way = "frame pointers"
    turns = [[_turn(each) for each in ("dwarf", "fp", "")] for _ in range(ROUNDS)]
    unwound, by_pointers, alone = zip(*turns, strict=True)
    return [
        Row("a turn of two processes, offcputime", unwound, way, by_pointers, us, target=MOST_OF_POINTERS),
        Row("…", unwound, "without it", alone, us),
        Row("collector's CPU time, a sample", _of(dwarf, 0), way, _of(fp, 0), us),
        Row("program time, a sample", _of(dwarf, 1), way, _of(fp, 1), us),
        Row(f"slow-down of a program at {_DEFAULT} Hz", slower, unit="{:.3%}".format, most=MOST_SLOWER),
        Row("collector's memory, a program of 200 libraries", [many.memory], way, _of(fp, 2)[:1], mib),
    ]


def _turn(way: str) -> float:
    """Seconds of a turn of two Debian Pythons, each of which waits for the other; way: by which they are traced."""
    with subprocess.Popen(["/usr/bin/python3", "-c", _TURNS]) as worker:
        process = psutil.Process(worker.pid)
        try:
            if not way:
                return _turned(process, lambda: time.sleep(COLD))
            params = ["-p", f"unwind={way}", "--budget", "0", "--format", "json"]
            with running([sys.executable, "-m", "ebpftop", "run", "cpu/offcputime", *params]) as tool:
                return _turned(process, lambda: [tool.next_line() for _ in range(COLD)])
        finally:
            for each in (*process.children(), process):
                each.kill()


def _turned(process: psutil.Process, settle: Callable[[], object]) -> float:
    settle()
    began, before = time.perf_counter(), process.num_ctx_switches().voluntary
    time.sleep(WARM)
    return (time.perf_counter() - began) / max(1, process.num_ctx_switches().voluntary - before)


def _of(costs: list[Cost], field: int) -> list[float]:
    return [cost[field] for cost in costs]


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs"


def _cost(way: str, work: str) -> Cost:
    """Of a Debian Python that computes."""
    with subprocess.Popen(["/usr/bin/python3", "-c", work]) as worker:
        try:
            params = ["-p", f"pid={worker.pid}", "-p", f"unwind={way}", "-p", f"frequency={FREQUENCY}"]
            command = [sys.executable, "-m", "ebpftop", "run", "cpu/profile", *params, "--budget", "0"]
            with running([*command, "--format", "json"]) as tool:
                return _measured(tool)
        finally:
            worker.kill()


def _measured(tool: Tool) -> Cost:
    collector = children(tool.process.pid)["collect"]
    for _ in range(COLD):
        last = json.loads(tool.next_line())
    before = sum(collector.cpu_times()[:2]), last["cost"]
    samples = 0
    for _ in range(WARM):
        last = json.loads(tool.next_line())
        samples += sum(each["count"] for each in last["views"]["samples"]["stacks"])
    spent, cost = sum(collector.cpu_times()[:2]) - before[0], last["cost"]
    program = cost["run_time_ns"] - before[1]["run_time_ns"]  # with the runs that are of other processes
    return Cost(spent / max(1, samples), program / 1e9 / max(1, samples), collector.memory_full_info().uss)
