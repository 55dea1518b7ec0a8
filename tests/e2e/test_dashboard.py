"""The main job, in a real terminal on the real kernel: pick probes, see who is busy, see why one is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard import cpus, load
from tests.support.processes import children, eventually, held_by, in_kernel
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.bpf

COMMAND = [sys.executable, "-m", "ebpftop"]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[str]:
    """More busy loops of system calls than CPUs, under a name of their own."""
    program = tmp_path / "busyloop"
    shutil.copy("/bin/dd", program)
    loops = [
        subprocess.Popen([program, "if=/dev/zero", "of=/dev/null", "bs=1"], stderr=subprocess.DEVNULL)
        for _ in range(cpus() + 1)
    ]
    yield program.name
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.fixture
def term() -> Iterator[Terminal]:
    with terminal(COMMAND, 120, 40) as started:
        started.wait_for("runqlat")
        yield started
        started.keys("q")


def first_row(screen: str) -> str:
    """The first row of the table by process; nothing while there is none."""
    lines = screen.splitlines()
    heads = [at for at, line in enumerate(lines) if re.search(r"\bpid\b.*\bprocess\b", line)]
    return lines[heads[0] + 1] if heads else ""


@pytest.fixture
def passing(tmp_path: Path) -> Iterator[str]:
    """Two processes on one CPU that wait for each other at every call, so that nothing else switches as often."""
    program = tmp_path / "passing"
    shutil.copy("/bin/dd", program)
    with (
        subprocess.Popen(
            ["taskset", "-c", "0", program, "if=/dev/zero", "bs=64k"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as writer,
        subprocess.Popen(
            ["taskset", "-c", "0", program, "of=/dev/null", "bs=64k"], stdin=writer.stdout, stderr=subprocess.DEVNULL
        ) as reader,
    ):
        yield program.name
        writer.kill()
        reader.kill()


def test_what_is_busiest_is_at_the_top_of_the_tables(term: Terminal, passing: str) -> None:
    load(term, "runqlat")
    term.wait_for("Wait for a CPU", "p99")
    eventually(lambda: passing in first_row(term.text()), "who is switched most often waits most often", 60)
    bars = term.text().count("█")
    assert bars > 5
    load(term, "syscount")
    term.wait_for("System calls by process")
    eventually(lambda: passing in first_row(term.text()), "who reads and writes most makes most system calls", 60)
    before = term.text()
    eventually(lambda: term.text() != before, "the numbers move")


@pytest.mark.parametrize(
    ("name", "complaint", "line"),
    [
        ("null-deref", "invalid mem access 'map_value_or_null'", r"9 +\*count \+= 1;"),
        ("infinite-loop", "infinite loop detected", r"8 +while \(bpf_ktime_get_ns\(\) < end\)"),
        ("forbidden-call", "bpf_skb_load_bytes", r"9 +bpf_skb_load_bytes\(ctx, 0, &header"),
    ],
)
def test_a_refused_probe_is_explained_at_its_line_while_others_run(
    term: Terminal, name: str, complaint: str, line: str
) -> None:
    load(term, "syscount")
    term.wait_for("System calls by process")
    running = held_by(children(term.pid())["collect"].pid)
    load(term, name)
    screen = term.wait_for(complaint, "verifier log")
    assert re.search(rf"✗ +{line}", screen), screen
    term.keys("Escape")
    term.wait_for("System calls by process")
    assert held_by(children(term.pid())["collect"].pid)[0] >= running[0]


def test_a_flame_graph_shows_where_a_busy_loop_spends_its_time(term: Terminal, busy: str) -> None:
    load(term, "profile")
    term.wait_for("Samples ·")
    term.keys("Tab", "f")
    term.type(busy)
    term.keys("Enter")
    term.wait_for(f"matching “{busy}”", "do_syscall_64")  # the cells of what it calls may be too narrow for their names
    term.keys("F")
    term.type("ksys_read")
    term.keys("Enter")
    assert re.search(r"[0-9.]+% through “ksys_read”", term.wait_for("through “ksys_read”"))
    term.keys("Down", "Down", "Enter")
    term.wait_for(f"zoomed into {busy}", "100% of total")
    term.keys("u")
    assert re.search(r"kernel|vmlinux", term.wait_for("functions ·", "ksys_read"))


def test_a_wrong_parameter_is_told_in_the_form_and_can_be_mended(term: Terminal) -> None:
    term.keys("/")
    term.type("syscount")
    term.wait_for("─ cpu/syscount ─")
    term.keys("Escape")
    term.wait_for("│ / search")
    term.keys("p")
    term.wait_for("load · cpu/syscount")
    term.type("abc")
    term.keys("Enter")
    screen = term.wait_for("✗ expected a process id from 1 to 4194304, not 'abc'")
    assert "load · cpu/syscount" in screen
    assert "no probe is running" in screen
    others = screen.count("not set: no filter")
    term.keys("C-u")
    eventually(lambda: term.text().count("not set: no filter") > others, "the field is empty")
    term.type("1")
    term.keys("Enter")
    term.wait_for("System calls by process", "pid=1")


def test_quitting_leaves_the_terminal_and_the_kernel_as_they_were() -> None:
    with terminal("sh", 100, 30) as shell:
        shell.type("a=$(stty -a); " + " ".join(COMMAND) + '; [ "$a" = "$(stty -a)" ] && echo same $((40 + 2))')
        shell.keys("Enter")
        shell.wait_for("runqlat")
        load(shell, "syscount")
        shell.wait_for("System calls by process")
        held = held_by(children(shell.pid())["collect"].pid)
        shell.keys("q")
        shell.wait_for("same 42")
        assert "Catalog" not in shell.text()
        eventually(lambda: not in_kernel(held), "nothing of ours is left in the kernel")
