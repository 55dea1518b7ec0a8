"""The user's editor, in the foreground of the terminal as a shell would have it, with this process's rights."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from collections.abc import Mapping

from textual.app import App, SuspendNotSupported

VI = ("vi", "vim", "vim.basic", "vim.tiny", "nvim", "view")
PLUS = frozenset((*VI, "nano", "pico", "emacs", "emacsclient", "mg", "micro", "joe", "jed", "kak", "ne"))  # +LINE FILE
COLON = frozenset({"hx", "helix"})  # FILE:LINE
ANSWERED = (  # signals that are the program's to answer in its own way
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)
FALLBACKS = ("vi", "nano")


def command(environment: Mapping[str, str], file: str, line: int | None = None) -> list[str] | None:
    """The first of VISUAL, EDITOR, vi and nano that is there, on a file and, if it is known how, at a line; None where
    there is no editor.
    """
    for wanted in (environment.get("VISUAL", ""), environment.get("EDITOR", ""), *FALLBACKS):
        try:
            words = shlex.split(wanted)
        except ValueError:  # a quote that isn't closed
            continue
        if words and shutil.which(words[0], path=environment.get("PATH")):
            return [*words, *_place(os.path.basename(words[0]), file, line)]
    return None


def _place(editor: str, file: str, line: int | None) -> list[str]:
    if line is None:
        return [file]
    if editor in COLON:
        return [f"{file}:{line}"]
    return [f"+{line}", file] if editor in PLUS else [file]


async def edit(app: App[None], file: str, line: int | None) -> str:
    """Leave the terminal to the editor; the application takes in what comes meanwhile, and draws nothing. Returns what
    went wrong, in a line, or nothing.
    """
    argv = command(os.environ, file, line)
    if argv is None:
        return "there is no editor: EDITOR names none that is installed"
    try:
        with app.batch_update(), app.suspend():
            status = await run(argv)
    except (OSError, SuspendNotSupported) as error:
        return f"{argv[0]}: {error}"
    return f"{argv[0]} ended with {status}" if status else ""


async def run(argv: list[str], terminal: int = 0) -> int:
    """Run a program in a process group of its own, to which the terminal belongs meanwhile: its Ctrl-C is not ours.
    Returns its exit code, negative after a signal. Raises `OSError`.
    """
    ours = os.tcgetpgrp(terminal)
    # Who isn't in the foreground is stopped for changing the terminal, unless it ignores the signal: we give the
    # terminal away and take it back, and set it right if we are told to end meanwhile.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid, status = 0, None
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, setsigdef=ANSWERED)
        while status is None or os.WIFSTOPPED(status):  # there is no shell here that it could be left to
            _give(terminal, pid)
            os.killpg(pid, signal.SIGCONT)
            _, status = await asyncio.to_thread(os.waitpid, pid, os.WUNTRACED)
    finally:
        if pid and (status is None or os.WIFSTOPPED(status)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGHUP)
        _give(terminal, ours)
        signal.signal(signal.SIGTTOU, before)
    return os.waitstatus_to_exitcode(status)


def _give(terminal: int, group: int) -> None:
    """Make a process group the terminal's."""
    with contextlib.suppress(OSError):  # the program ended before, or the terminal is gone
        os.tcsetpgrp(terminal, group)
