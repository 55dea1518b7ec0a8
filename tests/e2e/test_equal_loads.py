"""Two equal loads are two runs, each of the request that it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.frames.messages import Detached, Loaded, Loading, Snapshot
from ebpftop.frames.tape import TapeReader
from tests.support.command import ebpftop

pytestmark = pytest.mark.bpf


def test_equal_loads_are_recorded_side_by_side(tmp_path: Path) -> None:
    tape = tmp_path / "two.tape"
    done = ebpftop("record", "-o", tape, "cpu/runqlat", "cpu/runqlat", "--interval", "0.25", "--duration", "1")
    assert done.returncode == 0, done.stderr
    reader = TapeReader(tape)
    frames = [frame for _, frame in reader]
    reader.close()
    answers = [(frame.request, frame.run) for frame in frames if isinstance(frame, Loaded)]
    assert sorted(request for request, _ in answers) == [1, 2]
    assert len({run for _, run in answers}) == 2
    assert {(frame.request, frame.run) for frame in frames if isinstance(frame, Loading)} == set(answers)
    for _, run in answers:
        numbers = [frame.seq for frame in frames if isinstance(frame, Snapshot) and frame.run == run]
        assert len(numbers) >= 2, f"run {run}"
        assert numbers == sorted(set(numbers))
        assert [frame.run for frame in frames if isinstance(frame, Detached)].count(run) == 1
