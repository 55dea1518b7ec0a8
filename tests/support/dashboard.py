"""Uses the dashboard as a user would, in a real terminal."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from tests.support.processes import children
from tests.support.terminal import Terminal


def load(term: Terminal, name: str) -> None:
    """Find a probe in the catalog by typing, and load it."""
    term.keys("/", "C-u")
    term.type(name)
    term.keys("Enter")


def supervisor_below(pid: int) -> int:
    """Pid of the supervisor among the descendants of a process (a shell, sudo): the parent of the collector."""
    return children(pid)["collect"].ppid()


def uids(process: psutil.Process) -> set[int]:
    """Real, effective, saved and file system uid."""
    line = next(row for row in _status(process) if row.startswith("Uid:"))
    return {int(number) for number in line.split()[1:]}


def capabilities(process: psutil.Process) -> set[str]:
    """The distinct values of its permitted, effective, inheritable and ambient sets."""
    rows = (row.split() for row in _status(process) if row.startswith("Cap"))
    return {value.strip("0") for name, value in rows if name != "CapBnd:"}


def no_new_privileges(process: psutil.Process) -> bool:
    return "NoNewPrivs:\t1" in _status(process)


def mapped(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/maps").read_text()


def _status(process: psutil.Process) -> list[str]:
    return Path(f"/proc/{process.pid}/status").read_text().splitlines()


def cpus() -> int:
    return len(os.sched_getaffinity(0))
