"""Puts the standard streams in order, in whatever state the caller left them."""

from __future__ import annotations

import fcntl
import io
import os
import sys

from ebpftop.base.errors import UsageError


def null() -> int:
    """A descriptor that accepts all output and has no input: /dev/null, or an empty file in memory if that doesn't
    exist.
    """
    try:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return os.memfd_create("null", os.MFD_CLOEXEC)


class Forgiving(io.TextIOWrapper):
    """A stderr that drops a line it can't write (a full disk, a closed terminal) and carries on."""

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
        """Discard what is buffered and what follows, because the interpreter would otherwise try again at exit."""
        os.dup2(null(), self.fileno())


def prepare() -> None:
    """Fill descriptors 0, 1 and 2 if the caller closed them, so that no other file of ours gets these numbers.
    Characters that a stream's encoding lacks are written as escapes. Raises `UsageError` if no output is possible.
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
