"""Reporting an exception that ends a process.

An unexpected one is reported in one line, with the traceback in a file of mode 0600.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import tempfile
import traceback

from ebpftop import __version__
from ebpftop.base.inert import inert

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def tell(process: str, error: BaseException) -> None:
    """Report on stderr what ended the process: one line for a full disk, `report` for a bug. A closed pipe (EPIPE) is
    normal, so nothing is printed.
    """
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, *_FULL):
        with contextlib.suppress(OSError):  # otherwise the interpreter tries to flush once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno in _FULL:
            print(f"ebpftop: the output can't be written: {error.strerror}", file=sys.stderr)
    else:
        report(process, error)


def report(process: str, error: BaseException) -> None:
    """Write the report to a file and print its path in one line on stderr."""
    text = (
        f"ebpftop {__version__}, process {process}\n"
        f"Python {platform.python_version()}, Linux {platform.release()} {platform.machine()}\n\n"
        + "".join(traceback.format_exception(error))
    )
    summary = inert(f"{type(error).__name__}: {error}")
    try:
        fd, path = tempfile.mkstemp(prefix="ebpftop-crash-", suffix=".txt")
        with os.fdopen(fd, "w") as file:
            file.write(text)
    except OSError:
        print(text, file=sys.stderr)
        return
    print(f"ebpftop: internal error in the {process} ({summary}); the report is in {path}", file=sys.stderr)
