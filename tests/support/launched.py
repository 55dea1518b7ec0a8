"""Starts the program such that each of its processes leaves a note at its end: its name, and the modules it
imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

# Forked children end by os._exit(), and keep no descriptor of ours.
_LAUNCHER = """
import json, os, sys

end = os._exit
folder = sys.argv.pop(1)

def leave(status):
    with open("/proc/self/comm") as file:
        name = file.read().strip()
    with open(f"{folder}/{os.getpid()}", "w") as file:
        json.dump([name, sorted(sys.modules)], file)
    end(status)

os._exit = leave
from ebpftop.cli import main
try:
    main()
except SystemExit as leaving:
    leave(leaving.code or 0)
leave(0)
"""


class Left(NamedTuple):
    """name: the kernel's, of 15 characters: "ebpftop:loader"; the first process has the interpreter's."""

    name: str
    modules: frozenset[str]


def launcher(folder: Path, *arguments: str) -> list[str]:
    """A command; its processes leave their notes in the folder."""
    return [sys.executable, "-B", "-c", _LAUNCHER, str(folder), *arguments]


def left(folder: Path) -> list[Left]:
    """The notes of all processes that have ended."""
    notes = [json.loads(file.read_text()) for file in folder.iterdir()]
    return [Left(name, frozenset(modules)) for name, modules in notes]
