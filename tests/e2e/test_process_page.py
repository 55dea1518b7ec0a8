"""From a busy process's row to its page, on to a probe for it alone, and what stays when it ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard import load
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.bpf

COMMAND = [sys.executable, "-m", "ebpftop"]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A loop of system calls, under a name of its own."""
    program = tmp_path / "busyloop"
    shutil.copy("/bin/dd", program)
    command = [program, "if=/dev/zero", "of=/dev/null", "bs=1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as loop:
        yield loop
        loop.kill()


@pytest.fixture
def term() -> Iterator[Terminal]:
    with terminal(COMMAND, 120, 40) as started:
        started.wait_for("runqlat")
        yield started
        started.keys("q")


def test_a_row_leads_to_the_page_and_the_page_to_a_probe_for_that_process(
    term: Terminal, busy: subprocess.Popen[bytes]
) -> None:
    load(term, "syscount")
    term.wait_for("System calls by process", "busyloop")
    term.keys("f")
    term.type("busyloop")
    term.keys("Enter")
    term.wait_for("match “busyloop”")
    term.keys("Down", "P")
    screen = term.wait_for(
        f"busyloop {busy.pid}", "bs=1", "1 thread", " of a CPU", "open files 3 of", "Load for this process"
    )
    assert "syscount by process" in screen
    term.keys("Tab", "Tab", "Tab")
    term.wait_for("/dev/zero", "/dev/null")
    term.keys("4")  # system calls, of it alone
    term.wait_for(f"pid={busy.pid}", "· 1 row", "busyloop")
    term.keys("Down", "P")
    term.wait_for(f"busyloop {busy.pid}", "1 thread", "open files 3 of", "Load for this process")
    busy.kill()
    screen = term.wait_for("ended", "as last read")
    assert "open files 3 of" in screen
