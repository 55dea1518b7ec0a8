"""Writes a new tape that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.export import files
from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BadTape


class Output:
    """Takes frames with their times (ns since the tape's start)."""

    def __init__(self, path: Path, fd: int | None = None) -> None:
        self._writer = TapeWriter(path, args=True, fd=fd)  # the input has only the arguments to keep

    def write(self, at: int, frame: AnyFrame) -> None:
        self._writer.write(frame, at)

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
    """Write a tape that replaces none of the inputs. Raises `UserError`."""
    with (
        files.told(path),
        files.create(path, inputs, force=force) as file,
        contextlib.closing(Output(path, os.dup(file.fileno()))) as written,
    ):
        yield written
