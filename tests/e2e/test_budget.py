"""A probe that costs more than the budget is detached; the others go on."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpftop.frames.columns import unpack
from ebpftop.frames.messages import AnyFrame, Detached, Events, Loaded, Processes
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from tests.support.command import CHECKOUT, COMMAND
from tests.support.processes import SLOWER, eventually
from tests.support.workloads import run_programs

pytestmark = pytest.mark.bpf


@contextlib.contextmanager
def storm() -> Iterator[None]:
    """System calls without end."""
    with subprocess.Popen([sys.executable, "-c", "import os\nwhile True: os.getppid()"]) as process:
        try:
            yield
        finally:
            process.kill()


def frames_of(tape: Path) -> list[AnyFrame]:
    """As far as they are written."""
    found: list[AnyFrame] = []
    with contextlib.suppress(BadTape, OSError):
        for _, frame in TapeReader(tape):
            found.append(frame)
    return found


def count(tape: Path, kind: type[AnyFrame]) -> int:
    return sum(isinstance(frame, kind) for frame in frames_of(tape))


def test_a_storm_detaches_the_expensive_probe_and_no_other(tmp_path: Path) -> None:
    tape, said = tmp_path / "storm.tape", tmp_path / "said"
    command = [*COMMAND, "record", "-o", str(tape), "--budget", "4", "cpu/syscount", "cpu/execsnoop"]
    with said.open("w") as err, subprocess.Popen(command, cwd=CHECKOUT, stderr=err) as recording:
        try:
            eventually(lambda: count(tape, Loaded) == 2, "both are attached", 60 * SLOWER)
            pids = run_programs(5)
            with storm(), storm():
                eventually(lambda: "detached" in said.read_text(), "one is detached", 120 * SLOWER)
            eventually(lambda: count(tape, Detached) > 0, "the tape holds that", 60 * SLOWER)
            pids += run_programs(5)
        finally:
            recording.send_signal(signal.SIGINT)
    assert recording.returncode == 1  # not all that was requested
    line = next(line for line in said.read_text().splitlines() if "detached" in line)
    assert line.startswith("ebpftop: cpu/syscount: detached, it took ")
    assert line.endswith("but --budget allows 4%: narrow it with pid, comm or cgroup, or raise --budget")
    frames = frames_of(tape)
    run_of = {frame.probe: frame.run for frame in frames if isinstance(frame, Loaded)}
    reasons = {frame.run: frame.reason for frame in frames if isinstance(frame, Detached)}
    assert reasons[run_of["cpu/syscount"]] in line
    assert reasons[run_of["cpu/execsnoop"]] == ""
    seen = [
        pid
        for frame in frames
        if isinstance(frame, Events) and frame.run == run_of["cpu/execsnoop"]
        for pid in unpack(frame.columns)["tgid"]
    ]
    tgids = {
        process.id: process.tgid for frame in frames if isinstance(frame, Processes) for process in frame.processes
    }
    assert set(pids) <= {tgids.get(int(pid)) for pid in seen}


def test_of_a_busy_probe_a_part_is_timed_and_the_rest_estimated() -> None:
    command = [*COMMAND, "run", "cpu/syscount", "-p", "by=process", "--budget", "0", "--format", "json"]
    made, estimated = 0, []
    with storm(), subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            interval = json.loads(line)
            table = interval["views"]["by process"]
            calls = [column["name"] for column in table["columns"]].index("calls")
            made += sum(row[calls] for row in table["rows"])
            if interval["cost"]["estimated"]:
                estimated.append(interval["cost"]["run_count"])
            if len(estimated) == 8:
                break
        running.send_signal(signal.SIGINT)
    assert estimated == sorted(estimated)
    assert 0.5 < estimated[-1] / made < 2  # a tenth or ten times as much, if it were not scaled, or twice
