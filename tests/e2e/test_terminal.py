"""Whatever becomes of the program: the terminal is as it was, nothing of ours stays, what was recorded is readable."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ebpftop.frames.messages import Loaded, Snapshot
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from tests.support.command import CHECKOUT
from tests.support.dashboard import load
from tests.support.processes import children, eventually, held_by, in_kernel
from tests.support.shell import PROGRAM, framed, line, patched, shell
from tests.support.terminal import Terminal, terminal
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

TABLE = "System calls by process"


@pytest.fixture
def term() -> Iterator[Terminal]:
    with shell() as started:
        yield started


def dashboard(term: Terminal, command: str = PROGRAM) -> None:
    """Start the dashboard in the shell, and one probe in it."""
    line(term, framed(command))
    term.wait_for("Catalog", "─ ○ ")
    load(term, "syscount")
    term.wait_for(TABLE)


class Traces:
    """Processes, programs and maps of what runs below a process now."""

    def __init__(self, pid: int) -> None:
        self.processes = children(pid)
        self.supervisor = psutil.Process(self.processes["collect"].ppid())
        eventually(self._holds, "the collector holds what is in the kernel")

    def _holds(self) -> bool:
        self.held = held_by(self.processes["collect"].pid)
        return in_kernel(self.held)

    def gone(self) -> bool:
        return not in_kernel(self.held) and not any(map(alive, (self.supervisor, *self.processes.values())))


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_whole(tape: Path) -> bool:
    """Whether the tape has its end."""
    try:
        frames = [frame for _, frame in TapeReader(tape)]
    except BadTape:
        return False
    return all(any(isinstance(frame, kind) for frame in frames) for kind in (Loaded, Snapshot))


def recorded(tape: Path) -> int:
    """Snapshots of a tape that may be cut off."""
    found = 0
    try:
        for _, frame in TapeReader(tape):
            found += isinstance(frame, Snapshot)
    except (BadTape, FileNotFoundError):
        pass
    return found


# ---------------------------------------------------------------- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("target", ["supervisor", "group"])
def test_a_signal_ends_the_dashboard_in_order(term: Terminal, number: signal.Signals, target: str) -> None:
    dashboard(term)
    traces = Traces(term.pid())
    if target == "group":
        os.killpg(os.getpgid(traces.supervisor.pid), number)
    else:
        traces.supervisor.send_signal(number)
    term.wait_for(f"ended: {128 + number}, terminal: same")
    assert term.untouched()
    eventually(traces.gone, "nothing of ours is left")


def test_kill_of_the_dashboard_leaves_the_terminal_as_it_was(term: Terminal) -> None:
    dashboard(term)
    traces = Traces(term.pid())
    traces.processes["dashboa"].kill()
    term.wait_for("ended: 137, terminal: same", "ebpftop: the dashboard was killed by SIGKILL")
    eventually(traces.gone, "nothing of ours is left")
    assert term.untouched()


def test_kill_of_the_supervisor_leaves_the_terminal_usable(term: Terminal) -> None:
    """The shell goes on at once, while the dashboard still shows its screen: what the shell writes until that is left
    vanishes with it. So this looks at what the shell does afterwards.
    """
    line(term, "before=$(stty -a)")
    dashboard(term)
    traces = Traces(term.pid())
    traces.supervisor.kill()
    eventually(traces.gone, "nothing of ours is left")
    eventually(term.untouched, "the main screen is back")
    line(term, 'clear; [ "$before" = "$(stty -a)" ] && echo settings: "same"')
    term.wait_for("settings: same")
    assert term.untouched()


@pytest.mark.parametrize("who", ["dashboa", "supervisor"])
def test_kill_under_sudos_own_terminal_leaves_the_terminal_usable(term: Terminal, who: str) -> None:
    """With `use_pty`, sudo ends when the supervisor does, and may not pass on what the dashboard still writes."""
    line(term, "before=$(stty -a)")
    dashboard(term, f"sudo {PROGRAM}")
    traces = Traces(term.pid())
    (traces.processes | {"supervisor": traces.supervisor})[who].kill()
    eventually(traces.gone, "nothing of ours is left")
    eventually(term.untouched, "the main screen is back")
    line(term, 'clear; [ "$before" = "$(stty -a)" ] && echo settings: "same"')
    term.wait_for("settings: same")
    assert term.untouched()


def test_kill_of_sudo_itself_leaves_nothing_of_ours(term: Terminal) -> None:
    """Its monitor kills our whole process group a millisecond after SIGTERM: too soon to restore the screen."""
    dashboard(term, f"sudo {PROGRAM}")
    traces = Traces(term.pid())
    next(child for child in psutil.Process(term.pid()).children() if child.name() == "sudo").kill()
    eventually(traces.gone, "nothing of ours is left")


def test_the_dashboard_alone_goes_before_others(term: Terminal) -> None:
    dashboard(term)
    niceness = {name: process.nice() for name, process in Traces(term.pid()).processes.items()}
    assert niceness["dashboa"] == max(-20, os.nice(0) - 10)
    assert niceness["collect"] == os.nice(0)


def test_control_z_stops_the_dashboard_and_fg_draws_it_again(term: Terminal) -> None:
    dashboard(term)
    for _ in range(2):
        term.keys("C-z")
        term.wait_for("Stopped")
        assert term.untouched()
        assert TABLE not in term.text()
        line(term, "clear; fg")
        shown = term.wait_for(TABLE, "Catalog")
        eventually(lambda before=shown: term.text() != before, "the numbers move")
    term.keys("q")
    eventually(lambda: TABLE not in term.text(), "the dashboard has ended")
    assert term.untouched()


@pytest.mark.parametrize("command", ["", "run syscount"])
def test_who_continues_the_consumer_alone_continues_the_supervisor(term: Terminal, command: str) -> None:
    """Nobody else would, where the shell that started both has no job control."""
    line(term, f"bash -c '{PROGRAM} {command}; true'")
    term.wait_for("System calls by name" if command else "Catalog")
    traces = Traces(term.pid())
    consumer = traces.processes["run" if command else "dashboa"]
    consumer.send_signal(signal.SIGTSTP)
    eventually(lambda: is_stopped(consumer) and is_stopped(traces.supervisor), "both have stopped")
    consumer.send_signal(signal.SIGCONT)
    eventually(lambda: not is_stopped(consumer) and not is_stopped(traces.supervisor), "both run")
    for _ in range(20):  # the supervisor notices before the next signal, or after it
        consumer.send_signal(signal.SIGTSTP)
        consumer.send_signal(signal.SIGCONT)
    eventually(lambda: not is_stopped(consumer) and not is_stopped(traces.supervisor), "both run still")
    if not command:
        load(term, "syscount")
        term.wait_for(TABLE)
    term.keys("q" if not command else "C-c")
    eventually(lambda: not alive(traces.supervisor), "it has ended")


def is_stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


def test_control_z_stops_a_run_and_fg_goes_on(term: Terminal) -> None:
    line(term, f"{PROGRAM} run syscount")
    term.wait_for("System calls by name")
    term.keys("C-z")
    term.wait_for("Stopped")
    line(term, "clear; fg; echo status $?")
    term.wait_for("System calls by name")
    term.keys("C-c")
    term.wait_for("program time", "status 0")


def test_the_budget_holds_while_a_run_is_stopped(term: Terminal, tmp_path: Path) -> None:
    """A busy probe is timed for a part of the time, for which root is asked again and again, and root stops too."""
    storm = "import os, time\nwhile True: [os.getppid() for _ in range(600)]"
    with working(f"{storm}; time.sleep(0.01)"):
        line(term, f"{PROGRAM} run syscount --budget 4 2> {tmp_path}/said")
        term.wait_for("System calls by name")
        collector = Traces(term.pid()).processes["collect"].pid
        programs, _ = held_by(collector)
        eventually(lambda: not is_timing(collector), "nothing is timed for a while")
        term.keys("C-z")
        term.wait_for("Stopped")
        with working(storm), working(storm):
            eventually(lambda: not programs <= held_by(collector)[0], "the probe is detached", 60)
    line(term, "clear; fg")
    term.wait_for("program time")
    assert "detached, it took" in (tmp_path / "said").read_text()


@contextlib.contextmanager
def working(code: str) -> Iterator[None]:
    """A Python program that runs until the end of the block."""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield
        finally:
            process.kill()


def is_timing(collector: int) -> bool:
    """Whether it has the kernel time programs."""
    return "anon_inode:bpf-stats" in map(os.readlink, Path(f"/proc/{collector}/fd").iterdir())


def test_control_c_ends_a_run_with_its_summary(term: Terminal) -> None:
    line(term, framed(f"{PROGRAM} run syscount --interval 0.2"))
    term.wait_for("System calls by name")
    traces = Traces(term.pid())
    term.keys("C-c")
    term.wait_for("program time", "ended: 0, terminal: same")
    eventually(traces.gone, "nothing of ours is left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_of_a_recording_leaves_a_whole_tape(
    term: Terminal, tmp_path: Path, number: signal.Signals
) -> None:
    tape = tmp_path / "incident.tape"
    line(term, framed(f"{PROGRAM} record -o {tape} syscount --interval 0.1"))
    term.wait_for("Ctrl-C stops")
    eventually(lambda: recorded(tape) > 0, "something is on the tape")
    traces = Traces(term.pid())
    os.killpg(os.getpgid(traces.supervisor.pid), number)
    term.wait_for("ended: 0, terminal: same")
    assert is_whole(tape)
    eventually(traces.gone, "nothing of ours is left")


@pytest.mark.parametrize("what", ["run syscount", "record -o {tape} syscount --interval 0.1", ""])
def test_a_closed_terminal_ends_everything(tmp_path: Path, what: str) -> None:
    tape = tmp_path / "incident.tape"
    with shell() as term:
        if what:
            line(term, f"{PROGRAM} {what.format(tape=tape)}")
            term.wait_for("System calls by name" if "run" in what else "Ctrl-C stops")
        else:
            dashboard(term)
        if "record" in what:
            eventually(lambda: recorded(tape) > 0, "something is on the tape")
        traces = Traces(term.pid())
    eventually(traces.gone, "nothing of ours is left")
    if "record" in what:
        assert is_whole(tape)


def test_kill_of_a_recording_leaves_what_was_recorded(term: Terminal, tmp_path: Path) -> None:
    tape = tmp_path / "incident.tape"
    line(term, framed(f"{PROGRAM} record -o {tape} syscount --interval 0.1"))
    eventually(lambda: recorded(tape) > 2, "something is on the tape")
    Traces(term.pid()).processes["run"].kill()
    term.wait_for("ended: 137, terminal: same")
    assert recorded(tape) > 2
    with pytest.raises(BadTape, match="is truncated after"):
        list(TapeReader(tape))


# ---------------------------------------------------------------- the terminal itself


def test_a_terminal_that_is_too_small_is_told_until_it_grows(term: Terminal) -> None:
    term.resize(30, 6)
    line(term, PROGRAM)
    term.wait_for("too small", "60×15")
    term.resize(100, 30)
    term.wait_for("Catalog", "funccount", "─ ○ ")
    term.resize(50, 30)
    term.wait_for("too small")
    term.resize(80, 24)
    term.wait_for("What is wrong?", "cpu-saturated")
    term.keys("q")
    eventually(term.untouched, "the main screen is back")


def test_a_terminal_that_draws_no_screens_is_refused(term: Terminal) -> None:
    line(term, f"TERM=dumb {PROGRAM}; echo status $?")
    term.wait_for("TERM is unset or 'dumb'", "status 2")
    assert term.untouched()


@pytest.mark.parametrize("where", ["2>{}", "2>/dev/full", "2>&-"])
def test_the_screen_is_there_wherever_errors_go(term: Terminal, tmp_path: Path, where: str) -> None:
    errors = tmp_path / "errors"
    errors.touch()
    line(term, f"{PROGRAM} demo {where.format(errors)}; echo status $?")
    term.wait_for("Catalog", "q quit")
    term.keys("q")
    term.wait_for("status 0")
    assert errors.read_text() == ""


@pytest.mark.parametrize(("text", "why"), [("#!/nowhere\n", "interpreter"), ("true\n", "Exec")])
def test_an_editor_that_can_not_be_run_is_told(term: Terminal, tmp_path: Path, text: str, why: str) -> None:
    editor = tmp_path / "edit"
    editor.write_text(text)
    editor.chmod(0o755)
    line(term, framed(f"XDG_CONFIG_HOME={tmp_path} EDITOR={editor} VISUAL= {PROGRAM} demo"))
    term.wait_for("Catalog", "q quit")
    term.keys(",")
    term.wait_for(why)  # one word: lines of a notice end anywhere between words
    term.keys("q")
    term.wait_for("ended: 0, terminal: same")


def test_sigterm_ends_a_demo_though_its_editor_ignores_signals(term: Terminal, tmp_path: Path) -> None:
    editor = tmp_path / "edit"
    editor.write_text("#!/bin/sh\ntrap '' HUP INT TERM\necho an editor\nexec sleep 120\n")
    editor.chmod(0o755)
    line(term, framed(f"XDG_CONFIG_HOME={tmp_path} EDITOR={editor} VISUAL= {PROGRAM} demo"))
    term.wait_for("Catalog", "q quit")
    term.keys(",")
    term.wait_for("an editor")
    demo, editing = psutil.Process(term.pid()).children(recursive=True)
    demo.terminate()
    try:
        term.wait_for("ended: 143, terminal: same")
    finally:
        editing.kill()


def test_two_dashboards_at_once(term: Terminal) -> None:
    with shell() as other:
        dashboard(term)
        dashboard(other)
        traces = Traces(term.pid())
        assert not traces.held[0] & Traces(other.pid()).held[0]
        term.keys("q")
        term.wait_for("ended: 0, terminal: same")
        eventually(traces.gone, "nothing of the first is left")
        shown = other.text()
        eventually(lambda: other.text() != shown, "the numbers of the other move")
        other.keys("q")
        other.wait_for("ended: 0, terminal: same")


def test_two_runs_of_one_probe_count_alike() -> None:
    with Worker("def work():\n    for _ in range(500): os.getppid()") as worker:
        command = [sys.executable, "-m", "ebpftop", "run", "syscount", "-p", f"pid={worker.pid}", "--format", "csv"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for each in both:
            assert each.stdout is not None
            assert each.stdout.readline().startswith("time,probe,view")
        worker.work()
        outputs = []
        for each in both:
            each.send_signal(signal.SIGINT)
            outputs.append(each.communicate(timeout=60)[0])
            assert each.returncode == 0
    for output in outputs:
        assert sum(int(row.split(",")[-2]) for row in output.splitlines() if ",getppid," in row) == 500


# ---------------------------------------------------------------- hostile names, broken folders


def test_folders_that_are_no_probes_are_told_beside_the_catalog(term: Terminal, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "probes/lab/hello", tmp_path / "mine/whole")
    shutil.copytree(CHECKOUT / "probes/lab/hello", tmp_path / "mine/broken")
    manifest = tmp_path / "mine/broken/probe.toml"
    manifest.write_text(manifest.read_text().replace("summary", "sumary"))
    term.resize(160, 40)
    line(term, f"{PROGRAM} --probes {tmp_path} --probes /nowhere")
    term.wait_for("sumary: unknown key", "/nowhere: no such folder")
    load(term, "whole")
    term.wait_for("Context switches")
    term.keys("q")


def test_a_hostile_process_name_is_shown_inert(term: Terminal) -> None:
    name = "\x1b[31m[bold]\x07x"
    with Worker("def work():\n    for _ in range(50_000): os.getppid()", name=name) as worker:
        line(term, f"{PROGRAM}")
        term.wait_for("Catalog", "─ ○ ")
        load(term, "syscount")
        term.wait_for(TABLE)
        term.keys("t", "t", "t")
        term.type("f")
        term.type("bold")
        worker.work()
        term.wait_for(r"\x1b[31m[bold]\x0…")  # the column is narrower
        term.keys("Escape", "q")


# ---------------------------------------------------------------- exceptions nobody expected

FAULT = """
def fails(kind, name, when=lambda *_: True):
    whole = getattr(kind, name)
    def method(self, *given):
        if when(self, *given):
            raise RuntimeError('a fault \\x1b[31m of a test')
        return whole(self, *given)
    setattr(kind, name, method)
"""
PLACES = {
    "dashboard": "from ebpftop.ui.feed.feed import Feed; fails(Feed, '_answer')",
    "dashboard's drawing": "from ebpftop.ui.widgets.status import StatusLine; fails(StatusLine, 'show')",
    "collector": "from ebpftop.collector.server import Server; fails(Server, '_load')",
    "loader": "from ebpftop.loader.load import Load; fails(Load, '_try', lambda at, *_: 'syscount' in at.probe.id)",
    "supervisor": "from ebpftop.supervisor import supervisor as it;"
    "fails(it.Supervisor, '_load', lambda at, ask: 'syscount' in ask.probe)",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_leaves_a_report_and_the_terminal_as_it_was(term: Terminal, tmp_path: Path, place: str) -> None:
    line(term, framed(patched(tmp_path, f"{FAULT}\n{PLACES[place]}")))
    term.wait_for("Catalog", "─ ○ ")
    traces = Traces(term.pid())
    load(term, "syscount")
    if place == "loader":
        term.wait_for("internal error in the loader", "a fault")
        term.keys("q")
    elif place == "collector":
        term.wait_for("the collector has ended")
        term.keys("q")
    screen = term.wait_for("terminal: same")
    assert term.untouched()
    eventually(traces.gone, "nothing of ours is left")
    found = list(tmp_path.glob("ebpftop-crash-*"))
    assert len(found) == 1, [f.read_text()[-1500:] for f in found]
    (report,) = found
    assert report.stat().st_mode & 0o777 == 0o600
    assert "RuntimeError: a fault" in report.read_text()
    if place != "loader":
        assert report.name in screen.replace("\n", "")
        assert r"(RuntimeError: a fault \x1b[31m of a test)" in screen.replace("\n", "")
    assert f"ended: {0 if place in ('loader', 'collector') else 1}," in screen


def test_what_textual_takes_from_the_environment_is_ignored() -> None:
    wishes = ["TEXTUAL=debug", "TEXTUAL_DRIVER=none:None", "TEXTUAL_COLOR_SYSTEM=none", "TEXTUAL_PRESS=q"]
    with terminal(["env", *wishes, sys.executable, "-m", "ebpftop", "demo"]) as term:
        term.wait_for("Catalog", "q quit")
        term.keys("q")
        term.wait_for_end()
        eventually(lambda: term.status() == 0, "it ends without an error")


def test_the_terminals_own_size_counts_and_a_key_after_q_is_ignored() -> None:
    command = ["env", "COLUMNS=59", "LINES=14", sys.executable, "-m", "ebpftop", "demo"]
    with terminal(command, columns=120, rows=36) as term:
        assert "too small" not in term.wait_for("Catalog", "q quit")
        term.keys("Tab")
        term.type("q[")
        term.wait_for_end()
        eventually(lambda: term.status() == 0, "it ends without an error")
