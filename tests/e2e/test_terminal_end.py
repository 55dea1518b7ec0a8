"""A terminal or a pipe that ends without a signal ends the program too, and nothing of ours stays."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import termios
from pathlib import Path

import psutil
import pytest

from ebpftop.frames.messages import Loaded, Snapshot
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from tests.support.bare_pty import BarePty, bare_pty
from tests.support.command import COMMAND
from tests.support.processes import alive, children, eventually, held_by, in_kernel
from tests.support.shell import patched

pytestmark = pytest.mark.bpf


class Family:
    """The supervisor, its children, and what is in the kernel for them."""

    def __init__(self, term: BarePty) -> None:
        self.supervisor = term.process.pid
        term.wait_until(lambda: len(self._lasting()) == 2, "collector and consumer run")
        self.processes = self._lasting()
        term.wait_until(self._holds, "the collector holds what is in the kernel")

    def _lasting(self) -> dict[str, psutil.Process]:
        """All but the root tasks."""
        names = ("collect", "dashboa", "run")
        return {name: process for name, process in children(self.supervisor).items() if name in names}

    def _holds(self) -> bool:
        self.held = held_by(self.processes["collect"].pid)
        return in_kernel(self.held)

    def gone(self) -> bool:
        return not in_kernel(self.held) and not any(map(alive, self.processes.values()))


def kinds(tape: Path) -> set[type]:
    """Those of all its frames: a received snapshot is one."""
    return {kind for _, frame in TapeReader(tape) for kind in type(frame).__mro__}


def snapshots(tape: Path) -> int:
    """So far: it is still written."""
    found = 0
    with contextlib.suppress(BadTape):  # its end is missing
        for _, frame in TapeReader(tape):
            found += isinstance(frame, Snapshot)
    return found


def dashboard(term: BarePty) -> Family:
    term.wait_for("first-minute")
    term.type("/syscount\r")
    term.wait_for("System calls by")
    return Family(term)


def test_the_dashboard_ends_with_its_terminal() -> None:
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        term.hang_up()
        assert term.process.wait(20) == 128 + signal.SIGHUP
        eventually(family.gone, "nothing of ours is left")


def test_the_dashboard_ends_with_a_terminal_that_takes_no_more_output() -> None:
    """Its output thread waits for the terminal, its event loop for that thread."""
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        for _ in range(40):
            term.type("\t")
        consumer = family.processes["dashboa"]
        eventually(lambda: waits_to_write(consumer), "the output blocks")
        term.hang_up()
        assert term.process.wait(20) == 128 + signal.SIGHUP
        eventually(family.gone, "nothing of ours is left")


def waits_to_write(process: psutil.Process) -> bool:
    """Whether one of its threads is in write(2) to stdout, by its number on x86-64 or arm64."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return any((task / "syscall").read_text().split()[:2] in (["1", "0x1"], ["64", "0x1"]) for task in tasks)


def test_a_replay_ends_with_its_terminal() -> None:
    with bare_pty([*COMMAND, "demo"]) as term:
        term.wait_for("Catalog")
        term.hang_up()
        assert term.process.wait(20) == 128 + signal.SIGHUP


def test_a_run_ends_with_its_terminal() -> None:
    with bare_pty([*COMMAND, "run", "syscount", "--interval", "60"]) as term:
        family = Family(term)
        term.hang_up()
        term.process.wait(20)
        eventually(family.gone, "nothing of ours is left")


def test_a_recording_ends_with_its_terminal_and_its_tape_is_whole(tmp_path: Path) -> None:
    tape = tmp_path / "incident.tape"
    with bare_pty([*COMMAND, "record", "-o", str(tape), "syscount", "--interval", "0.1"]) as term:
        term.wait_for("1 probe")  # it is attached
        family = Family(term)
        term.wait_until(lambda: snapshots(tape) > 0, "there is data on the tape")
        term.hang_up()
        assert term.process.wait(20) == 0
        eventually(family.gone, "nothing of ours is left")
    assert Loaded in kinds(tape)


def test_a_run_ends_when_nobody_reads_its_output_any_more() -> None:
    reading, writing = os.pipe()
    with bare_pty([*COMMAND, "run", "syscount", "--interval", "60"], stdout=writing) as term:
        os.close(writing)
        family = Family(term)
        os.close(reading)
        assert term.process.wait(20) == 1
        eventually(family.gone, "nothing of ours is left")
        assert b"error" not in term.read()


def test_a_recording_goes_on_when_nobody_reads_its_messages(tmp_path: Path) -> None:
    tape = tmp_path / "incident.tape"
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "record", "-o", str(tape), "syscount", "--interval", "0.1", "--duration", "1"]
    with bare_pty(command, stdin=writing, stdout=writing, stderr=writing) as term:
        os.close(writing)
        assert term.process.wait(60) == 0
    assert {Loaded, Snapshot} <= kinds(tape)


def test_a_recording_that_shall_outlive_its_terminal_does(tmp_path: Path) -> None:
    """nohup(1) has SIGHUP ignored."""
    tape = tmp_path / "incident.tape"
    command = [*COMMAND, "record", "-o", str(tape), "syscount", "--interval", "0.1"]
    with bare_pty(command, ignored=[signal.SIGHUP]) as term:
        family = Family(term)
        for process in (psutil.Process(term.process.pid), *family.processes.values()):
            process.send_signal(signal.SIGHUP)
        term.hang_up()
        before = snapshots(tape)  # a tape also grows while the probe is still loaded
        eventually(lambda: snapshots(tape) > before + 3, "it records")
        assert all(map(alive, family.processes.values()))
        term.process.send_signal(signal.SIGINT)
        assert term.process.wait(20) == 0
    assert {Loaded, Snapshot} <= kinds(tape)


def test_a_killed_dashboard_leaves_the_terminal_as_it_was_though_it_is_not_the_controlling_one() -> None:
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        assert termios.tcgetattr(term.terminal) != term.settings
        family.processes["dashboa"].kill()
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        term.wait_for("was killed by SIGKILL")
        assert term.shown.rindex(b"\x1b[?1049l") > term.shown.rindex(b"\x1b[?1049h")
        assert term.shown.rindex(b"\x1b[?1003l") > term.shown.rindex(b"\x1b[?1003h")
        assert termios.tcgetattr(term.terminal) == term.settings
        eventually(family.gone, "nothing of ours is left")


def test_a_dashboard_without_its_supervisor_leaves_the_terminal_as_it_was() -> None:
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        term.process.kill()
        term.wait_until(family.gone, "nothing of ours is left")
        term.read()
        assert term.shown.rindex(b"\x1b[?1049l") > term.shown.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(term.terminal) == term.settings


def test_a_dashboard_without_its_supervisor_ends_though_it_hangs(tmp_path: Path) -> None:
    patch = "from ebpftop.ui.app.app import EbpftopApp; EbpftopApp.exit = lambda *_, **__: None"
    with bare_pty(["env", *shlex.split(patched(tmp_path, patch))]) as term:
        family = dashboard(term)
        term.process.kill()
        term.wait_until(family.gone, "nothing of ours is left")
        term.read()
        assert term.shown.rindex(b"\x1b[?1049l") > term.shown.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(term.terminal) == term.settings


def test_a_demo_ends_though_it_hangs(tmp_path: Path) -> None:
    patch = "from ebpftop.ui.app.app import EbpftopApp; EbpftopApp.exit = lambda *_, **__: None"
    with bare_pty(["env", *shlex.split(patched(tmp_path, patch)), "demo"]) as term:
        term.wait_for("Catalog")
        term.process.terminate()
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        term.read()
        assert term.process.returncode == 128 + signal.SIGTERM
        assert term.shown.rindex(b"\x1b[?1049l") > term.shown.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(term.terminal) == term.settings


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_other_signals_end_a_demo_in_order(number: signal.Signals) -> None:
    with bare_pty([*COMMAND, "demo"]) as term:
        term.wait_for("Catalog")
        term.process.send_signal(number)
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        term.read()
        assert term.process.returncode == 128 + number
        assert term.shown.rindex(b"\x1b[?1049l") > term.shown.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(term.terminal) == term.settings


def test_a_stop_of_the_dashboard_alone_does_not_stop_the_supervisor() -> None:
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        consumer, supervisor = family.processes["dashboa"], psutil.Process(term.process.pid)
        consumer.send_signal(signal.SIGSTOP)
        eventually(lambda: consumer.status() == psutil.STATUS_STOPPED, "it has stopped")
        threads = consumer.num_threads()
        consumer.send_signal(signal.SIGCONT)
        before = len(term.shown)
        term.wait_until(lambda: len(term.shown) > before + 200, "it draws again")
        assert supervisor.status() != psutil.STATUS_STOPPED
        assert consumer.num_threads() == threads
        term.type("q")
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 0


def test_sigterm_ends_a_stopped_dashboard() -> None:
    with bare_pty(COMMAND) as term:
        family = dashboard(term)
        family.processes["dashboa"].send_signal(signal.SIGSTOP)
        term.process.terminate()
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 128 + signal.SIGTERM
        eventually(family.gone, "nothing of ours is left")
        assert termios.tcgetattr(term.terminal) == term.settings
