"""What stacks cost that are unwound from copies, beside those that the kernel walks by frame pointers, and those that
perf copies and unwinds.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.bench.leaks import cpu_seconds
from tests.bench.table import Row, mib
from tests.bench.tool import Tool, running
from tests.support.processes import children
from tests.support.workloads import Worker

ROUNDS = 2
FREQUENCY = 499  # so that there are enough samples; the costs are each one's
COLD, WARM = 2, 3  # seconds: what is read while names and tables are new isn't counted
FASTER = 1999  # samples a second, so that what they take of a program is seen
COPY = 16  # KiB
PERF, CLOCK, SWITCH = "perf --call-graph dwarf", "cpu-clock:u", "sched:sched_switch"
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
_ALIKE = """
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def work(): fibonacci(27)
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
    perf, missing = _perf()
    slowed = _slowed()
    slower = [each.program * _DEFAULT for each in dwarf]
    way = "frame pointers"
    ways = ("dwarf", "fp", "", *(() if missing else ("perf",)))
    turns = [[_turn(each) for each in ways] for _ in range(ROUNDS)]
    unwound, by_pointers, alone, *by_perf = zip(*turns, strict=True)
    return [
        Row("a turn of two processes, offcputime", unwound, way, by_pointers, us, target=MOST_OF_POINTERS),
        Row("…", unwound, "without it", alone, us),
        Row("…", unwound, PERF, [*by_perf[0]] if by_perf else [], us, note=missing),
        Row("collector's CPU time, a sample", _of(dwarf, 0), way, _of(fp, 0), us),
        Row(
            "…, perf's until its stacks are written out",
            _of(dwarf, 0),
            PERF,
            [each.seconds for each in perf],
            us,
            note=missing,
        ),
        Row(
            "bytes of a sample in the file, names included",
            [_tape()],
            PERF,
            [each.bytes for each in perf[:1]],
            _bytes,
            note=missing,
        ),
        Row("program time, a sample", _of(dwarf, 1), way, _of(fp, 1), us),
        Row(f"slow-down of a program at {FASTER} Hz", slowed[0], way, slowed[1], "{:.2%}".format),
        Row("…", slowed[0], PERF, slowed[2], "{:.2%}".format, note=missing),
        Row(f"slow-down of a program at {_DEFAULT} Hz", slower, unit="{:.3%}".format, most=MOST_SLOWER),
        Row("collector's memory, a program of 200 libraries", [many.memory], way, _of(fp, 2)[:1], mib),
    ]


class PerfCost(NamedTuple):
    """Of a sample: seconds of perf, and bytes in its file."""

    seconds: float
    bytes: float


def _perf() -> tuple[list[PerfCost], str]:
    """perf's of the same work, recorded and written out as text; or why there is none."""
    if not shutil.which("perf"):
        return [], "not installed (linux-perf)"
    found = []
    with subprocess.Popen(["/usr/bin/python3", "-c", _WORK]) as worker, tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        try:
            for _ in range(ROUNDS):
                before = _children()
                done = subprocess.run(
                    _record(CLOCK, f"-F{FREQUENCY}", f"-p{worker.pid}", "-o", str(data), "sleep", str(WARM)),
                    capture_output=True,
                    check=False,
                )
                if done.returncode:
                    return [], f"it records nothing: {(done.stderr.decode().splitlines() or [''])[-1]}"
                script = ["perf", "script", "--no-inline", "-F", "comm,ip,sym", "-i", str(data)]
                told = subprocess.run(script, capture_output=True, check=True).stdout
                samples = max(1, told.count(b"\n\n"))
                found.append(PerfCost((_children() - before) / samples, data.stat().st_size / samples))
        finally:
            worker.kill()
    return found, ""


def _record(event: str, *more: str) -> list[str]:
    """perf's command."""
    return ["perf", "record", "-q", "-e", event, "--call-graph", f"dwarf,{COPY << 10}", *more]


def _children() -> float:
    """CPU seconds of all that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tape() -> float:
    """Bytes of a sample on a tape, with all names."""
    with subprocess.Popen(["/usr/bin/python3", "-c", _WORK]) as worker, tempfile.TemporaryDirectory() as folder:
        tape, ours = Path(folder) / "a.tape", [sys.executable, "-m", "ebpftop"]
        params = ["-p", f"pid={worker.pid}", "-p", f"frequency={FREQUENCY}", "-p", "unwind=dwarf"]
        record = [*ours, "record", "-o", str(tape), "cpu/profile", *params, "--duration", str(WARM)]
        try:
            subprocess.run(record, capture_output=True, check=True)
        finally:
            worker.kill()
        told = subprocess.run([*ours, "tape", "export", tape, "--format", "folded"], capture_output=True, check=True)
        samples = sum(int(line.rpartition(b" ")[2]) for line in told.stdout.splitlines() if line[:1] != b"#")
        return tape.stat().st_size / max(1, samples)


def _bytes(count: float) -> str:
    return f"{count:,.0f} B"


def _slowed() -> list[list[float]]:
    """What part of its CPU time the same work takes more, in turn: by copies, by frame pointers, under perf."""
    found: list[list[float]] = [[], [], []]
    with Worker(_ALIKE) as worker:
        for _ in range(ROUNDS):
            for at, way in enumerate(("dwarf", "fp", "perf")):
                alone = cpu_seconds(worker)
                with _traced(way, worker.pid) as traces:
                    if traces:
                        found[at].append(cpu_seconds(worker) / alone - 1)
    return found


@contextmanager
def _traced(way: str, pid: int) -> Iterator[bool]:
    """Whether it is sampled."""
    if way != "perf":
        params = ["-p", f"pid={pid}", "-p", f"unwind={way}", "-p", f"frequency={FASTER}"]
        with running([sys.executable, "-m", "ebpftop", "run", "cpu/profile", *params, "--budget", "0"]):
            yield True
    elif shutil.which("perf"):
        with _perf_at(CLOCK, f"-F{FASTER}", f"-p{pid}"):
            yield True
    else:
        yield False


@contextmanager
def _perf_at(event: str, *options: str) -> Iterator[None]:
    """While perf records, and throws away."""
    command = _record(event, *options, "-o", "-")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as perf:
        try:
            time.sleep(0.5)
            yield
        finally:
            perf.terminate()


def _turn(way: str) -> float:
    """Seconds of a turn of two Debian Pythons, each of which waits for the other; way: by which they are traced."""
    with subprocess.Popen(["/usr/bin/python3", "-c", _TURNS]) as worker:
        process = psutil.Process(worker.pid)
        try:
            if not way:
                return _turned(process, lambda: time.sleep(COLD))
            if way == "perf":
                time.sleep(COLD)  # until there are two
                with _perf_at(SWITCH, f"-p{worker.pid},{process.children()[0].pid}"):
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
