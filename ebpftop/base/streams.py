"""Standard streams as they should be, whatever the caller left of them."""

from __future__ import annotations

import fcntl
import io
import os
import sys

from ebpftop.base.errors import UsageError


def null() -> int:
    """A descriptor that takes all and gives nothing: /dev/null, or an empty file in memory where there is none."""
    try:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return os.memfd_create("null", os.MFD_CLOEXEC)


class Forgiving(io.TextIOWrapper):
    """stderr, where a line that can't be written (a full disk, a closed terminal) is lost and changes nothing else."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """What is left, and what follows, goes nowhere: else the interpreter tries again as it ends."""
        os.dup2(null(), self.fileno())


def prepare() -> None:
    """Fill descriptors 0, 1 and 2 where the caller closed them: nothing else of ours may get these numbers. What a
    stream's encoding lacks is written as an escape. Raises `UsageError` where there can be no output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _fill(number)
        if number == 2 and not _writable(2):
            _fill(2)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 - it stays
        getattr(sys, name).reconfigure(errors="backslashreplace")
    stderr = open(2, "wb", closefd=False)  # noqa: SIM115 - it stays; Textual draws on the interpreter's own
    sys.stderr = Forgiving(stderr, sys.stderr.encoding, "backslashreplace", line_buffering=True)
    if not _writable(1):
        raise UsageError("standard output is open for reading only")


def _fill(number: int) -> None:
    descriptor = null()
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.set_inheritable(number, True)


def _writable(number: int) -> bool:
    return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
