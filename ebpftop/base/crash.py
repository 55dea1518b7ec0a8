"""Reports an exception that ends a process.

A resource that this machine lacks is one line. A bug is one line too, with the traceback in a file of mode 0600.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
import select
import sys
import time
import traceback

from ebpftop import __version__
from ebpftop.base import streams
from ebpftop.base.forking import NO_PROCESS, NoProcess
from ebpftop.base.inert import inert

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_MEMORY = ("failed to map segment", os.strerror(errno.ENOMEM))
_NO_THREAD = "can't start new thread"
_STACK = 16 << 20  # bytes, at least what a thread's takes
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def tell(process: str, error: BaseException) -> None:
    """Report on stderr what ended the process: one line for a full disk or a lack of memory, files or processes,
    `report` for a bug. A closed pipe or terminal is normal, so nothing is printed.
    """
    if (lack := _lack(error)) is not None:
        print(f"ebpftop: {lack}", file=sys.stderr)
        return
    if isinstance(error, OSError) and (error.errno in (errno.EPIPE, *_FULL) or _is_hangup(error)):
        with contextlib.suppress(OSError):  # otherwise the interpreter tries to flush once more at exit
            os.dup2(streams.null(), 1)
        if error.errno in _FULL:
            print(f"ebpftop: the output can't be written: {error.strerror}", file=sys.stderr)
    else:
        report(process, error)


def _is_hangup(error: OSError) -> bool:
    """Whether the terminal of standard output is gone."""
    poll = select.poll()
    poll.register(1, 0)
    return error.errno == errno.EIO and bool(poll.poll(0))


def _lack(error: BaseException) -> str | None:
    """The exhausted resource and the remedy; None for other errors."""
    if lacks_memory(error):
        return "not enough memory for this (see 'ulimit -v')"
    if lacks_process(error):
        return NO_PROCESS
    number = error.errno if isinstance(error, OSError) else 0
    if number in (errno.EMFILE, errno.ENFILE) or os.strerror(errno.EMFILE) in _said(error):
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return f"too many open files: raise the limit of {limit:,} with 'ulimit -n'"
    if number == errno.ENOENT and _is_nowhere():
        return "the current folder has been deleted: change to another one"
    return None


def _is_nowhere() -> bool:
    """Whether there is no current folder, so that relative paths lead nowhere."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def lacks_memory(error: BaseException) -> bool:
    """Whether an exception means that there is too little memory."""
    if isinstance(error, SystemError):  # with limited memory, an extension may fail without giving a reason
        limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
        return limited and "without exception set" in str(error)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if _NO_THREAD in _said(error):  # for lack of memory, or because of a limit of threads: the error is the same
        return not _has_room()
    return any(words in _said(error) for words in _NO_MEMORY)


def lacks_process(error: BaseException) -> bool:
    """Whether an exception means that no process or thread can be started, though there is memory."""
    return isinstance(error, NoProcess) or (_NO_THREAD in _said(error) and _has_room())


def _has_room() -> bool:
    """Whether a thread's stack has room in memory."""
    try:
        mmap.mmap(-1, _STACK).close()
    except OSError:
        return False
    return True


def _said(error: BaseException) -> str:
    """The message of a library that could not be loaded, or of a thread that could not be started."""
    of_loader = isinstance(error, OSError) and error.errno is None
    return str(error) if of_loader or isinstance(error, ImportError | RuntimeError) else ""


def report(process: str, error: BaseException) -> None:
    """Write the report to a file and print its path in one line on stderr."""
    machine = os.uname()
    text = (
        f"ebpftop {__version__}, process {process}\n"
        f"Python {sys.version.split()[0]}, Linux {machine.release} {machine.machine}\n\n"
        + "".join(traceback.format_exception(error))
    )
    summary = inert(f"{type(error).__name__}: {error}")
    try:
        path = f"{os.environ.get('TMPDIR') or '/tmp'}/ebpftop-crash-{os.getpid()}-{time.time_ns():x}.txt"
        with os.fdopen(os.open(path, _NEW, 0o600), "w") as file:
            file.write(text)
    except OSError as lack:
        *_, last = traceback.extract_tb(error.__traceback__) or [None]
        place = f", {os.path.basename(last.filename)}:{last.lineno}" if last else ""
        why = lack.strerror or lack
        print(f"ebpftop: internal error in the {process} ({summary}{place}); no crash report: {why}", file=sys.stderr)
        return
    print(f"ebpftop: internal error in the {process} ({summary}); the report is in {path}", file=sys.stderr)
