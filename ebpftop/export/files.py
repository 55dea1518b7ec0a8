"""Writes a file completely or not at all, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import inert
from ebpftop.frames.tape_lock import is_recorded

_OWN = "/proc/self/fd"  # by which a file without a name is given one, see open(2)


class FileRefused(UserError):
    """Something has this name that is not replaced; the text is one line."""


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong with a file, as one line. Raises `UserError` for `OSError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{inert(str(path))}: {error.strerror}") from None


def write(path: Path, content: bytes, inputs: Sequence[Path] = (), *, force: bool = False) -> None:
    """Create a file with this content. Raises as `create` does."""
    with create(path, inputs, force=force) as file:
        file.write(content)


@contextlib.contextmanager
def create(path: Path, inputs: Sequence[Path] = (), *, force: bool = False) -> Iterator[BinaryIO]:
    """Create a file of mode 0600 that gets its name only once it is complete. With `force` it replaces a regular file,
    but no input and no tape that is being recorded; a symbolic link is never followed. If this process ends earlier,
    nothing is left, provided that the file system has nameless files. Raises `FileRefused`, `UsageError`, `OSError`.
    """
    check(path, inputs, force=force)
    draft = path.with_name(f".ebpftop.{os.urandom(8).hex()}")  # the path's own name may be as long as names get
    descriptor, nameless = _open(draft)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if nameless:
                os.link(f"{_OWN}/{descriptor}", draft, src_dir_fd=descriptor)  # without that no link is followed
        if force:
            check(path, inputs, force=True)  # a recorder may have opened it by now
            os.replace(draft, path)
        else:
            _place(draft, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _open(draft: Path) -> tuple[int, bool]:
    """A descriptor to write to, and whether the file has no name yet."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    if os.path.exists(_OWN):
        with contextlib.suppress(OSError):  # not all file systems have such files
            return os.open(draft.parent, flags | os.O_TMPFILE, 0o600), True
    return os.open(draft, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), False


def check(path: Path, inputs: Sequence[Path] = (), *, force: bool = False) -> None:
    """Refuse a path that can't be written, before the work is done. Raises `FileRefused`, `UsageError`, `OSError`."""
    name = inert(str(path))
    for each in inputs:
        with contextlib.suppress(OSError):
            if os.path.samefile(each, path):
                raise UsageError(f"{name} is also an input; write to another file")
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise FileRefused(f"{name} is a symbolic link, which is not followed")
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(f"{name} is not a regular file")
    if not force:
        raise FileRefused(f"{name} exists; --force overwrites it")
    if is_recorded(path):
        raise FileRefused(f"{name} is being recorded by another ebpftop")


def _place(draft: Path, path: Path) -> None:
    """Rename the draft, unless another file has the name by now; on a file system without links, that can't be ruled
    out.
    """
    try:
        os.link(draft, path, follow_symlinks=False)
    except FileExistsError:
        raise FileRefused(f"{inert(str(path))} exists; --force overwrites it") from None
    except OSError:
        check(path)
        os.rename(draft, path)
