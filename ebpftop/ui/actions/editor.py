"""The user's editor, run in the terminal's foreground as a shell would run it, with this process's rights."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping

from textual.app import App, SuspendNotSupported

from ebpftop.base import priority

VI = ("vi", "vim", "vim.basic", "vim.tiny", "nvim", "view")
PLUS = frozenset((*VI, "nano", "pico", "emacs", "emacsclient", "mg", "micro", "joe", "jed", "kak", "ne"))  # +LINE FILE
COLON = frozenset({"hx", "helix"})  # FILE:LINE
ANSWERED = (  # signals reset to their defaults for the editor
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)
FALLBACKS = ("vi", "nano")
GROUP = "editor"  # of workers


def command(environment: Mapping[str, str], file: str, line: int | None = None) -> list[str] | None:
    """The command that opens a file in the first installed one of VISUAL, EDITOR, vi and nano, at a line if we know the
    editor's syntax for it. None if no editor is installed.
    """
    for wanted in (environment.get("VISUAL", ""), environment.get("EDITOR", ""), *FALLBACKS):
        try:
            words = shlex.split(wanted)
        except ValueError:  # an unclosed quote
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
    """Give the terminal to the editor. Meanwhile the application keeps reading frames but draws nothing. Returns a
    one-line error, or "".
    """
    argv = command(os.environ, file, line)
    if argv is None:
        return "no editor found: set EDITOR to one that is installed"
    trouble = ""
    try:
        with app.batch_update(), app.suspend():
            try:
                if status := await run(argv):
                    trouble = f"{argv[0]} exited with status {status}"
            except FileNotFoundError:  # it was found, so the kernel misses what the file names
                trouble = f"{argv[0]} can't be run: the interpreter that it names doesn't exist"
            except OSError as error:  # Textual resumes only after a block that raises nothing
                trouble = f"{argv[0]} can't be run: {error.strerror}"
    except SuspendNotSupported as error:
        return f"{argv[0]}: {error}"
    return trouble


def use(app: App[None], work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do work that opens the editor, unless one is open or being opened."""
    if not any(worker.group == GROUP and not worker.is_finished for worker in app.workers):
        app.run_worker(work(), group=GROUP)


async def run(argv: list[str], terminal: int = 0) -> int:
    """Run a program in its own process group, in the terminal's foreground, so that its Ctrl-C doesn't reach us.
    Returns its exit code, negative after a signal. Raises `OSError`.
    """
    ours = os.tcgetpgrp(terminal)
    # A background process that changes the terminal is stopped by SIGTTOU unless it ignores the signal. We hand the
    # terminal over and take it back, and restore it if we have to exit meanwhile.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid, status = 0, None
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, setsigdef=ANSWERED)
        priority.as_parent(pid)
        while status is None or os.WIFSTOPPED(status):  # no shell here could resume a stopped program
            _give(terminal, pid)
            os.killpg(pid, signal.SIGCONT)
            status = await _change(pid)
    finally:
        if pid and (status is None or os.WIFSTOPPED(status)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGHUP)
        _give(terminal, ours)
        signal.signal(signal.SIGTTOU, before)
    return os.waitstatus_to_exitcode(status)


async def _change(pid: int) -> int:
    """The status of a child once it stops or ends. A daemon thread waits, because the command must be able to end while
    the child ignores SIGHUP.
    """
    running = asyncio.get_running_loop()
    changed: asyncio.Future[int] = running.create_future()

    def tell(status: int) -> None:
        if not changed.done():
            changed.set_result(status)

    def wait() -> None:
        status = 0
        with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored: it has ended, but nobody knows how
            _, status = os.waitpid(pid, os.WUNTRACED)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            running.call_soon_threadsafe(tell, status)

    threading.Thread(target=wait, daemon=True).start()
    return await changed


def _give(terminal: int, group: int) -> None:
    """Make a process group the terminal's foreground group."""
    with contextlib.suppress(OSError):  # the program has exited, or the terminal is gone
        os.tcsetpgrp(terminal, group)
