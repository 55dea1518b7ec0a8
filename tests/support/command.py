"""Runs the program as a user would, without a terminal, and checks its errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import SLOWER
from tests.support.schemas import check_output

COMMAND = (sys.executable, "-m", "ebpftop")
CHECKOUT = Path(__file__).resolve().parents[2]
AS_NOBODY = ("runuser", "-u", "nobody", "--")

Done = subprocess.CompletedProcess[str]


def ebpftop(*arguments: object, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Done:
    """Run the program until it exits. `before`: words in front of the command, such as `env` or `runuser` and their
    options.
    """
    done = subprocess.run(
        [*before, *COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * SLOWER,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
    )
    if done.returncode in (0, 1):
        check_output(arguments, done.stdout)
    return done


def complaint(done: Done, status: int) -> str:
    """The single line it printed before exiting with this status, besides what it says when loading takes long."""
    assert done.returncode == status, done.stdout + done.stderr
    (line,) = (each for each in done.stderr.splitlines() if "; Ctrl-C stops" not in each)
    assert line.startswith("ebpftop: ")
    return line.removeprefix("ebpftop: ")
