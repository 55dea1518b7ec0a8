"""`--when` and `--save`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.frames.messages import Loaded, Mark, Snapshot
from ebpftop.frames.tape import TapeReader
from tests.support.command import complaint, ebpftop


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ["record", "--when", "runqlat p99 > 20", "--save", "/nowhere"],
            "--when 'runqlat p99 > 20': 20 needs a unit: ",
        ),
        (
            ["run", "runqlat", "--when", "runqlat p98 = 1ms"],
            "--when 'runqlat p98 = 1ms': after 'runqlat p98': expected >",
        ),
        (["--when", "runqlt p99 > 20ms"], "unknown probe 'runqlt'; did you mean cpu/runqlat"),
        (
            ["--when", "syscount rate eror > 2"],
            "--when 'syscount rate eror > 2': syscount has no counter 'eror'; did you",
        ),
        (
            ["--when", "syscount.by_cal rate > 2"],
            "--when 'syscount.by_cal rate > 2': syscount has no view 'by_cal'; did",
        ),
        (["run", "syscount", "--when", "runqlat p99 > 1ms"], "--when names cpu/runqlat, but only cpu/syscount runs"),
        (["record", "syscount", "--save", "/nowhere"], "--save needs --when"),
        (
            ["--when", "runqlat p99 > 20", "record", "-o", "/nowhere/tape", "syscount"],
            "--when 'runqlat p99 > 20': 20 needs a unit",
        ),
        (["record", "syscount"], "record needs -o TAPE, or --when TRIGGER and --save DIR"),
        (["record", "-o", "/nowhere/tape"], "record needs a probe, or a trigger that names one"),
    ],
)
def test_mistakes_are_usage_errors(arguments: list[str], why: str) -> None:
    assert complaint(ebpftop(*arguments), 2).startswith(why)


@pytest.mark.parametrize("size", ["0", "-1", "5.5GiB", "5 TiB", "MiB", "٣MiB"])
def test_a_size_that_is_none(size: str) -> None:
    done = ebpftop("record", "--when", "runqlat p99 > 1ms", "--save", "/nowhere", f"--keep-bytes={size}")
    assert done.returncode == 2
    assert f"{size!a} is not a size" in done.stderr


@pytest.mark.bpf
def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    done = ebpftop("record", "--when", "syscount rate > 1/s", "--save", tmp_path / "no/such", "--duration", "1")
    assert complaint(done, 1) == f"{tmp_path}/no/such: No such file or directory"


@pytest.mark.bpf
def test_a_recording_that_only_watches_leaves_the_tape_of_an_incident(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    watched = ["--when", "syscount rate > 1/s for 1s", "--when", "hello lost > 1k"]
    done = ebpftop(
        "record", *watched, "--save", folder, "--before", 2, "--after", 1, "--duration", 8, "--interval", 0.5
    )
    assert done.returncode == 0, done.stderr
    assert "  mark: syscount rate > 1/s for 1s: " in done.stderr.splitlines()[0]
    (path,) = folder.iterdir()
    assert done.stderr.splitlines()[1].startswith(f"ebpftop: saved {path}: ")
    assert done.stderr.splitlines()[2].startswith("watched: 2 probes · ")
    frames = [frame for _, frame in TapeReader(path)]
    assert {frame.probe for frame in frames if isinstance(frame, Loaded)} == {"cpu/syscount", "lab/hello"}
    (mark,) = [frame for frame in frames if isinstance(frame, Mark)]
    times = [frame.monotonic_ns for frame in frames if isinstance(frame, Snapshot)]
    assert min(times) < mark.monotonic_ns < max(times)
