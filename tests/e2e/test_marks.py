"""Marks from outside, from one process of the program to another."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from ebpftop.frames.messages import Loaded, Mark
from ebpftop.frames.tape import TapeReader
from tests.support.command import AS_NOBODY, CHECKOUT, COMMAND, complaint, ebpftop
from tests.support.processes import SLOWER, eventually
from tests.support.terminal import terminal

NOBODY = 65534


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for sockets."""
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    return place


def test_nobody_is_there(place: Path) -> None:
    done = ebpftop("mark", "deploy 42", environment={"XDG_RUNTIME_DIR": str(place)})
    assert complaint(done, 1) == "no dashboard or recording of yours is running"


@pytest.mark.parametrize(
    ("text", "why"),
    [(" \n", "the text is empty"), ("é" * 2049, "the text is longer than 4,096 bytes")],
    ids=["empty", "long"],
)
def test_a_text_that_is_none_is_a_usage_error(text: str, why: str) -> None:
    assert complaint(ebpftop("mark", text), 2) == why


@pytest.mark.root
def test_without_a_folder_the_remedy_is_named(place: Path) -> None:
    """Nobody has no folder of its own, and this one is root's."""
    done = ebpftop("mark", "deploy 42", before=AS_NOBODY, environment={"XDG_RUNTIME_DIR": str(place)})
    assert complaint(done, 3).startswith("no folder for marks: XDG_RUNTIME_DIR or /run/user/UID must be a folder")


@pytest.mark.bpf
def test_every_recording_has_the_mark_on_its_tape(place: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(place)}
    tapes = [tmp_path / "a.tape", tmp_path / "b.tape"]
    recordings = [
        subprocess.Popen([*COMMAND, "record", "-o", tape, "hello"], cwd=CHECKOUT, env=environment) for tape in tapes
    ]
    try:
        until = time.monotonic() + 60 * SLOWER
        while len(list(place.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        done = ebpftop("mark", "deploy \x1b[31m42", environment=environment)
    finally:
        for each in recordings:
            each.send_signal(signal.SIGINT)
            each.wait(60 * SLOWER)
    assert (done.returncode, done.stdout) == (0, "marked in 2 places: deploy \\x1b[31m42\n")
    for tape in tapes:
        marks = [frame for _, frame in TapeReader(tape) if isinstance(frame, Mark)]
        assert [(mark.text, mark.origin) for mark in marks] == [("deploy \\x1b[31m42", "outside")]
        assert abs(marks[0].realtime_ns / 1e9 - time.time()) < 600 * SLOWER
    assert list(place.iterdir()) == []


@pytest.mark.bpf
def test_under_sudo_the_invokers_recording_is_reached_as_the_invoker(place: Path) -> None:
    """Whoever listens there learns of no root: both sides have become nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "run")
        folder.mkdir(mode=0o700)
        for each in (Path(name), folder):
            os.chown(each, NOBODY, NOBODY)
        environment = {
            **os.environ,
            "SUDO_UID": str(NOBODY),
            "SUDO_GID": str(NOBODY),
            "XDG_RUNTIME_DIR": str(folder),
        }
        tape = Path(name, "a.tape")
        recording = subprocess.Popen([*COMMAND, "record", "-o", tape, "hello"], cwd=CHECKOUT, env=environment)
        try:
            until = time.monotonic() + 60 * SLOWER
            while not list(folder.iterdir()) and time.monotonic() < until:
                time.sleep(0.05)
            assert [path.stat().st_uid for path in folder.iterdir()] == [NOBODY]
            ebpftop("mark", "of root", environment={"XDG_RUNTIME_DIR": str(folder)})
            done = ebpftop("mark", "of nobody", environment=environment)
        finally:
            recording.send_signal(signal.SIGINT)
            recording.wait(60 * SLOWER)
        marks = [frame.text for _, frame in TapeReader(tape) if isinstance(frame, Mark)]
    assert (done.returncode, done.stdout) == (0, "marked in 1 place: of nobody\n")
    assert marks == ["of nobody"]


@pytest.mark.bpf
def test_a_dashboard_records_and_is_reached_from_outside(place: Path, tmp_path: Path) -> None:
    tape = tmp_path / "a.tape"
    command = ["env", f"XDG_RUNTIME_DIR={place}", f"TMPDIR={tmp_path}", *COMMAND, "--when", "hello rate > 1/s for 1s"]
    with terminal(command, 120, 40) as term:
        term.wait_for("hello rate > 1/s for 1s: ")
        term.keys("r")
        term.wait_for("Minutes before now", "are in memory")
        term.keys("1", "Tab")
        term.keys("C-u")
        term.type(str(tape))
        term.keys("Enter")
        term.wait_for("● rec ")
        assert ebpftop("mark", "deploy 42", environment={"XDG_RUNTIME_DIR": str(place)}).returncode == 0
        term.wait_for("mark: deploy 42")
        term.keys("m")
        term.wait_for("Enter marks this moment")
        term.type("mine")
        term.keys("Enter")
        eventually(lambda: "Enter marks this moment" not in term.text(), "the form is closed")
        term.keys("'")
        term.wait_for("3 marks", "deploy 42  by command", "mine", "trigger")
        term.keys("Escape")
        eventually(lambda: "Enter goes there" not in term.text(), "the list is closed")
        term.keys("r")
        term.wait_for(f"{tape.name}: ")
        term.keys("q")
        eventually(term.ended, "it has ended")
    assert not list(tmp_path.glob("ebpftop-crash-*"))
    frames = [frame for _, frame in TapeReader(tape)]
    assert [(frame.text, frame.origin) for frame in frames if isinstance(frame, Mark)][-2:] == [
        ("deploy 42", "outside"),
        ("mine", "person"),
    ]
    assert "lab/hello" in {frame.probe for frame in frames if isinstance(frame, Loaded)}
    assert list(place.iterdir()) == []
