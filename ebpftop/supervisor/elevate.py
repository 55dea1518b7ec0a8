"""Restarting under sudo, with the program's full path: root's PATH may not include a user's tools."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from ebpftop.base.errors import Cannot

# Variables that sudo strips and the dashboard needs.
CARRIED = (
    "NO_COLOR",
    "COLORTERM",
    "EDITOR",
    "SSH_AUTH_SOCK",
    "TMUX",
    "VISUAL",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
)


def through_sudo(argv: Sequence[str]) -> NoReturn:
    """Replace this process with sudo running the same command; variables that sudo strips are passed as options.

    Raises `Cannot` if sudo is not installed.
    """
    sudo = shutil.which("sudo")
    if sudo is None:
        raise Cannot("tracing needs root, and sudo is not installed: run it from a root shell, or try 'ebpftop demo'")
    environment = [f"--user-env={name}={_value(name)}" for name in CARRIED if name in os.environ]
    print("ebpftop: tracing needs root; restarting under sudo", file=sys.stderr, flush=True)
    os.execv(sudo, [sudo, "--", *ourselves(), *environment, *argv])


def _value(name: str) -> str:
    """A variable's value; for an editor, with its full path, for the same reason."""
    value = os.environ[name]
    program, space, rest = value.partition(" ")
    if name in ("VISUAL", "EDITOR") and (found := shutil.which(program)):
        return f"{shlex.quote(found)}{space}{rest}"
    return value


def ourselves() -> list[str]:
    """The command that starts this program, with its full path."""
    script = os.path.abspath(sys.argv[0])
    if os.path.basename(script) == "ebpftop" and os.access(script, os.X_OK):
        return [script]
    return [sys.executable, "-m", "ebpftop"]
