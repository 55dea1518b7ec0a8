"""Writes a new tape that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import inert
from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BadTape


class Output:
    """Takes frames with their times (ns since the tape's start)."""

    def __init__(self, path: Path) -> None:
        self._now = 0
        self._writer = TapeWriter(path, args=True, clock=lambda: self._now)  # the input has only the arguments to keep

    def write(self, at: int, frame: AnyFrame) -> None:
        self._now = at
        self._writer.write(frame)

    def close(self) -> None:
        self._writer.close()


def opened(path: Path) -> TapeReader:
    """A tape to read. Raises `UserError`."""
    try:
        return TapeReader(path)
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(path))}: {error.strerror}") from None


@contextlib.contextmanager
def output(path: Path, inputs: Sequence[Path], *, force: bool) -> Iterator[Output]:
    """Write a tape in the same folder, and rename it at the end. Raises `UserError`."""
    name = inert(str(path))
    for each in inputs:
        with contextlib.suppress(OSError):
            if os.path.samefile(each, path):
                raise UsageError(f"{name} is also an input; write to another file")
    if path.is_symlink():
        raise UserError(f"{name} is a symbolic link, which is not followed")
    if path.exists() and not path.is_file():
        raise UserError(f"{name} is not a regular file")
    if path.exists() and not force:
        raise UserError(f"{name} exists; --force overwrites it")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        written = Output(part)
        try:
            yield written
            written.close()
            _name(part, path, force)
        except BaseException:
            with contextlib.suppress(OSError):
                written.close()
            raise
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise UserError(f"{name} exists; --force overwrites it") from None
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None


def _name(part: Path, path: Path, force: bool) -> None:
    if force:
        os.replace(part, path)
        return
    try:
        os.link(part, path)  # unlike a rename, it overwrites nothing
    except PermissionError:  # a file system without links
        if path.exists():
            raise FileExistsError from None
        os.replace(part, path)
