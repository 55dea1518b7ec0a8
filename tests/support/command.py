"""The program as a person starts it, without a terminal, and how it may complain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import SLOWER

COMMAND = (sys.executable, "-m", "ebpftop")
CHECKOUT = Path(__file__).resolve().parents[2]
AS_NOBODY = ("runuser", "-u", "nobody", "--")

Done = subprocess.CompletedProcess[str]


def ebpftop(*arguments: object, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Done:
    """Run it to its end. `before`: words in front of the command, as of `env` or `runuser`."""
    return subprocess.run(
        [*before, *COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * SLOWER,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
    )


def complaint(done: Done, status: int) -> str:
    """The one line it said before it ended with this status."""
    assert done.returncode == status, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("ebpftop: ")
    return line.removeprefix("ebpftop: ")
