"""A shell with job control in a real terminal, and a check that a program restored the terminal."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.command import COMMAND
from tests.support.terminal import Terminal, terminal

PROGRAM = shlex.join(COMMAND)


@contextlib.contextmanager
def shell(columns: int = 100, rows: int = 30) -> Iterator[Terminal]:
    """A shell without user settings, in this process's working directory."""
    with terminal(["env", "PS1=$ ", "bash", "--norc", "--noprofile"], columns, rows) as started:
        yield started


def line(term: Terminal, command: str) -> None:
    """Type a command line."""
    term.type(command)
    term.keys("Enter")


def framed(command: str) -> str:
    """A command line that also prints `ended: STATUS, terminal: same` if the terminal's settings are unchanged."""
    settings = 'before=$(stty -a); {}; echo "ended: $?, terminal: $([ "$before" = "$(stty -a)" ] && echo same)"'
    return settings.format(command)


def patched(folder: Path, patch: str) -> str:
    """A command that runs these lines of Python and then ebpftop, to inject faults."""
    script = folder / "patched.py"
    script.write_text(f"{patch}\nfrom ebpftop.cli import main\nmain()\n")
    return f"PYTHONPATH={Path.cwd()} TMPDIR={folder} {sys.executable} {script}"
