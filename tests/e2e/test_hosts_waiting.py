"""A command that still waits for a host: whatever ends it, its ssh ends too. No root, and no host."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes import eventually

SILENT = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
os.rename(*sys.argv[1:3])
time.sleep(600)
"""
RUN = [sys.executable, "-m", "ebpftop", "run", "syscount", "--host", "web-1", "--ssh"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_ssh_that_never_answers_ends_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "ssh.py").write_text(SILENT)
    started = tmp_path / "started"
    with subprocess.Popen([*RUN, f"{sys.executable} {tmp_path / 'ssh.py'} {tmp_path / 'part'} {started}"]) as command:
        try:
            eventually(started.exists, "ssh has started")
            ssh = psutil.Process(int(started.read_text()))
            command.send_signal(number)
            assert command.wait(30) == 128 + number
            stayed = ssh.is_running()
            if stayed:
                ssh.kill()
            assert not stayed
        finally:
            command.kill()


def test_it_is_told_for_whom_a_command_waits(tmp_path: Path) -> None:
    (tmp_path / "ssh.py").write_text(SILENT)
    ssh = f"{sys.executable} {tmp_path / 'ssh.py'} {tmp_path / 'part'} {tmp_path / 'started'}"
    with subprocess.Popen([*RUN, ssh], stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None
        try:
            assert command.stderr.readline() == "ebpftop: waiting for web-1; Ctrl-C stops\n"
        finally:
            command.terminate()


def test_a_command_that_no_shell_would_take_is_told() -> None:
    told = subprocess.run([*RUN, "ssh 'unclosed"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr == 'ebpftop: --ssh "ssh \'unclosed": No closing quotation\n'
