"""What a person is told of an exception that reached the end of a process.

One that nobody expected gets one line, and a report in a file of mode 0600.
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
    """Say on stderr what ended the process: that our output found no room, or else `report`. A reader of our output
    who has had enough needs to be told nothing.
    """
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, *_FULL):
        with contextlib.suppress(OSError):  # or the interpreter tries once more to write what is left
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno in _FULL:
            print(f"ebpftop: the output can't be written: {error.strerror}", file=sys.stderr)
    else:
        report(process, error)


def report(process: str, error: BaseException) -> None:
    """Write the report and say in one line on stderr where it is."""
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
