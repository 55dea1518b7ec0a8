"""Processes of ours that somebody stopped (SIGSTOP) are told of, and hold up no end."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ebpftop.frames.messages import Notice
from ebpftop.frames.tape import TapeReader
from tests.support.bare_pty import bare_pty
from tests.support.command import CHECKOUT, COMMAND
from tests.support.processes import SLOWER, alive, children, eventually, has_census
from tests.support.shell import patched

pytestmark = pytest.mark.bpf

SILENT = "no data for 5 s: the collector is stopped or hangs"
GIVEN_UP = "no answer from the collector, which is stopped or hangs: the last data is "


class Command:
    """A command without a terminal, once it traces, and its processes. out: its output, once it has ended."""

    out: str

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        eventually(lambda: {"collect", "run"} <= children(process.pid).keys(), "it has started")
        collector = children(process.pid)["collect"].pid
        eventually(lambda: has_census(collector), "it traces")
        eventually(lambda: "loader" not in children(process.pid), "nothing is loaded any more")
        self.children = children(process.pid)

    def stop(self, *names: str) -> None:
        for name in names:
            self.children[name].send_signal(signal.SIGSTOP)
        eventually(
            lambda: all(self.children[name].status() == psutil.STATUS_STOPPED for name in names), "they have stopped"
        )

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it said on stderr."""
        self.out, err = self.process.communicate(timeout=60 * SLOWER)
        eventually(lambda: not any(map(alive, self.children.values())), "nothing is left")
        return self.process.returncode, err


@contextmanager
def command(*arguments: str, program: Sequence[str] = COMMAND) -> Iterator[Command]:
    process = subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        start_new_session=True,
    )
    try:
        yield Command(process)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_run_ends_in_time_with_what_there_is(format: str) -> None:
    with command("run", "syscount", "--duration", "2", "--interval", "0.2", "--format", format) as run:
        run.stop("collect")
        status, err = run.ended()
    assert status == 1
    assert GIVEN_UP in err


def test_a_run_that_was_stopped_itself_loses_nothing() -> None:
    with command("run", "syscount", "--duration", "1", "--interval", "0.2") as run:
        run.stop("run")
        time.sleep(8)
        run.children["run"].send_signal(signal.SIGCONT)
        assert run.ended() == (0, "")


def test_a_triage_ends_in_time_with_what_stands_out_so_far() -> None:
    with command("triage", "cpu-saturated", "--for", "8", "--json") as triage:
        time.sleep(2)
        triage.stop("collect")
        status, err = triage.ended()
    told = json.loads(triage.out)
    assert status == 1
    assert GIVEN_UP in err
    assert told["problem"].startswith(GIVEN_UP)
    assert told["probes"]


def test_a_recording_ends_in_time_and_its_tape_is_whole(tmp_path: Path) -> None:
    with command("record", "-o", str(tmp_path / "tape"), "syscount", "--interval", "0.2", "--duration", "9") as record:
        eventually((tmp_path / "tape").exists, "the tape has begun")
        record.stop("collect")
        status, err = record.ended()
    assert status == 1
    assert f"ebpftop: {SILENT}\n" in err
    assert GIVEN_UP in err
    frames = [frame for _, frame in TapeReader(tmp_path / "tape")]
    assert SILENT in [frame.text for frame in frames if isinstance(frame, Notice)]


def test_control_c_ends_a_run_whose_collector_is_stopped() -> None:
    with command("run", "syscount") as run:
        run.stop("collect")
        run.process.send_signal(signal.SIGINT)
        status, err = run.ended()
    assert status == 1
    assert GIVEN_UP in err


def test_a_dashboard_says_that_nothing_comes_and_that_it_comes_again() -> None:
    with bare_pty(COMMAND, size=(40, 160)) as term:
        term.wait_for("first-minute")
        collector = children(term.process.pid)["collect"]
        term.wait_until(lambda: has_census(collector.pid), "it traces")
        collector.send_signal(signal.SIGSTOP)
        term.wait_for("the collector is stopped or hangs")
        collector.send_signal(signal.SIGCONT)
        term.wait_for("there is data again, after")
        term.type("q")
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 0


@pytest.mark.parametrize("end", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_signals_end_a_command_whose_children_are_stopped(end: list[signal.Signals]) -> None:
    with command("run", "syscount") as run:
        run.stop("collect", "run")
        for number in end:
            run.process.send_signal(number)
            time.sleep(0.2)  # else they would be one
        status, err = run.ended()
    assert status == 128 + end[-1]
    (line,) = err.splitlines()
    assert re.fullmatch("ebpftop: the run did not end within (2|2.5) s, and was killed", line)


def test_the_limit_of_the_end_ends_with_it(tmp_path: Path) -> None:
    """Python takes back its signal handlers before it ends: the alarm would end it then."""
    patch = "import atexit, time; atexit.register(time.sleep, 3)"
    with command("run", "syscount", program=["env", *shlex.split(patched(tmp_path, patch))]) as run:
        run.process.terminate()
        assert run.ended()[0] == 0


@pytest.mark.parametrize("arguments", [["run", "syscount"], ["record", "-o", "TAPE", "syscount"]])
def test_a_stopped_consumer_does_not_stay_without_its_supervisor(arguments: list[str], tmp_path: Path) -> None:
    arguments = [each.replace("TAPE", str(tmp_path / "tape")) for each in arguments]
    with command(*arguments) as run:
        run.stop("run")
        run.process.kill()
        assert run.ended()[0] == -signal.SIGKILL


def test_a_stopped_dashboard_does_not_stay_without_its_supervisor() -> None:
    with bare_pty(COMMAND) as term:
        term.wait_for("first-minute")
        consumer = children(term.process.pid)["dashboa"]
        consumer.send_signal(signal.SIGSTOP)
        eventually(lambda: consumer.status() == psutil.STATUS_STOPPED, "it has stopped")
        term.process.kill()
        term.wait_until(lambda: not alive(consumer), "it has ended")
        assert termios.tcgetattr(term.terminal) == term.settings


def test_an_exporter_says_that_nothing_comes_and_ends_when_told() -> None:
    with command("exporter", "syscount", "--listen", "127.0.0.1:0") as exporter:
        exporter.stop("collect")
        assert exporter.process.stderr is not None
        assert f"ebpftop: {SILENT}\n" in iter(exporter.process.stderr.readline, "")
        exporter.process.terminate()
        status, err = exporter.ended()
    assert status == 1
    assert GIVEN_UP in err
