"""Probes that can't be loaded, and parameters that would be C if pasted: the error is shown, the others run on."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import CHECKOUT, complaint, ebpftop
from tests.support.dashboard import load
from tests.support.processes import SLOWER, children, eventually, held_by
from tests.support.shell import PROGRAM, line, patched, shell
from tests.support.tracing import trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, pytest.mark.beside]

HELLO = CHECKOUT / "probes/lab/hello"
TOO_LARGE = """    char big[600];
    bpf_probe_read_kernel(big, sizeof(big), ctx);
    u64 zero = big[tgid % 600] & 0;
"""
ENDLESS = "#if __INCLUDE_LEVEL__ < 100\n" + '#include "twice.h"\n' * 2 + "#endif\n"


def changed(folder: Path, name: str, old: str, new: str) -> Path:
    """A folder of probes with one probe `mine/NAME`: the smallest one, with one change in its C."""
    probe = folder / "mine" / name
    shutil.copytree(HELLO, probe)
    source = probe / "probe.bpf.c"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new, 1))
    return folder


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A probe whose function needs more stack than there is, at which old LLVM ends its process."""
    return changed(tmp_path, "stack", "    u64 zero = 0;\n", TOO_LARGE)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A probe whose compilation never ends: a header of its own includes itself twice."""
    folder = changed(tmp_path, "endless", "#include", '#include "twice.h"\n#include')
    (folder / "mine" / "endless" / "twice.h").write_text(ENDLESS)
    return folder


def test_too_much_stack_is_told_as_the_compiler_says_it(stack: Path) -> None:
    done = ebpftop("run", "mine/stack", "--probes", stack)
    first = done.stderr.splitlines()[0]
    assert done.returncode == 1
    assert first.startswith("ebpftop: mine/stack: did not compile: Looks like the BPF stack limit")


def test_a_compiler_that_ends_its_process_leaves_the_others_running(stack: Path) -> None:
    with shell() as term:
        line(term, f"{PROGRAM} --probes {stack}")
        term.wait_for("Catalog", "─ ○ ")
        load(term, "syscount")
        term.wait_for("System calls by process")
        running = held_by(children(term.pid())["collect"].pid)
        load(term, "mine/stack")
        term.wait_for("did not compile", "BPF stack limit")
        assert held_by(children(term.pid())["collect"].pid) == running
        term.keys("Escape")
        shown = term.wait_for("System calls by process")
        eventually(lambda: term.text() != shown, "the numbers move")
        term.keys("q")


def test_a_compiler_that_dies_is_told(tmp_path: Path) -> None:
    folder = changed(tmp_path, "dies", "#include", "#pragma clang __debug llvm_fatal_error\n#include")
    done = ebpftop("run", "mine/dies", "--probes", folder)
    assert done.returncode == 1
    assert done.stderr.startswith("ebpftop: mine/dies: did not compile: ")


def test_maps_over_the_limit_are_refused_with_their_size(tmp_path: Path) -> None:
    folder = changed(tmp_path, "maps", "u32, u64);", "u32, u64, 1 << 25);")
    expected = "mine/maps: over a limit: its maps may need 384 MiB; the limit is 256 MiB"
    assert complaint(ebpftop("run", "mine/maps", "--probes", folder), 1) == expected


@pytest.mark.parametrize("command", ["run mine/endless --probes {}", "check {}/mine/endless"])
def test_a_compiler_that_never_ends_is_ended(endless: Path, command: str) -> None:
    limited = patched(endless, "from ebpftop.supervisor import tasks; tasks.WALL_SECONDS = 2")
    done = subprocess.run(
        f"{limited} {command.format(endless)}",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60 * SLOWER,
        check=False,
    )
    assert done.returncode == 1
    assert "the loader took longer than 2 s and was stopped" in done.stdout + done.stderr


def test_control_c_does_not_wait_for_the_compiler(endless: Path) -> None:
    command = shlex.split(f"{PROGRAM} run mine/endless --probes {endless}")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: {"collect", "loader", "run"} <= set(children(process.pid)), "it compiles", 60)
        loader = children(process.pid)["loader"]
        consumer = Path(f"/proc/{children(process.pid)['run'].pid}/status")
        caught = 1 << signal.SIGINT - 1
        eventually(lambda: bool(int(consumer.read_text().split("SigCgt:\t")[1][:16], 16) & caught), "it waits", 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(20 * SLOWER) == 1
        assert process.stderr is not None
        assert process.stderr.read() == "ebpftop: stopped before the probe was attached\n"
        eventually(lambda: not loader.is_running(), "the loader is gone")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ['a");x("', "};//", "\\\n\\0%n", "é\t'"])
def test_a_name_that_looks_like_c_is_a_name(name: str) -> None:
    with (
        Worker("def work():\n    for _ in range(23): os.getppid()", name=name) as worker,
        Worker("def work():\n    for _ in range(23): os.getppid()", name=name[:-1]) as other,
        trace("cpu/syscount", comm=name) as told,
    ):
        worker.work()
        other.work()
    totals = told.totals("by process", "pid")
    assert told.totals("by system call", "system call")["getppid"]["calls"] == 23
    assert worker.pid in totals
    assert other.pid not in totals
    assert {row["comm"] for each in told.lines for row in rows(each)} == {name}


def rows(line: dict[str, Any]) -> list[dict[str, object]]:
    part = line["views"]["by process"]
    names = [column["name"] for column in part["columns"]]
    return [dict(zip(names, row, strict=True)) for row in part["rows"]]


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    arguments = [b"/bin/sh", b"-c", b"read x; while read x; do :; done", b"\xff\x1b[1m", b"y" * 50_000]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        with trace("cpu/syscount", pid=process.pid) as told:
            process.stdin.write(b"\n" * 20)
            process.stdin.flush()
            told.until(lambda: bool(told.totals("by process", "pid")), "it was counted")
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
    commands = {str(row["command"]) for each in told.lines for row in rows(each)}
    assert {command[: command.index("y" * 9)] for command in commands} == {
        "/bin/sh -c read x; while read x; do :; done \\xff\x1b[1m "
    }
    assert {len(command) < 5000 for command in commands} == {True}
