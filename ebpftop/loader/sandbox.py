"""The compiler's sandbox: a root directory of its own, without root's rights, in a mount namespace of the loader.

A probe's text can name files (`#include`, `.incbin`, line markers), and the compiler quotes what it reads. So it runs
in a thread that can see only the files written for it, and that has given up root for good. Nothing of this is visible
outside, and all of it disappears with the process. If a container, or a user without root, lacks something for that, a
note says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from ebpftop.kernel import capabilities, landlock, tracefs

PREFIX = "ebpftop-compiler-"  # of folders in /tmp, where there is no private mount namespace
_OLD = 3600.0  # seconds; no compiler runs that long

_SCRATCH = Path("/run")
_CPUS, _KALLSYMS = Path("/sys/devices/system/cpu"), Path("/proc/kallsyms")  # BCC looks there
_CLONE_FS = 0x200  # root and working directory
_STACK = 16 << 20  # bytes; clang descends into nested expressions

_libc = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


class View:
    """The compiler's view of the file system: only `folder`. It is the root directory (`is_root`) if this process may
    set that up; otherwise Landlock denies the rest. `lack` is a line for the user if the kernel has no Landlock either,
    otherwise "".
    """

    def __init__(self, folder: Path, give_up: Callable[[], None]) -> None:
        self._folder, self._give_up = folder, give_up
        threading.stack_size(_STACK)
        self.is_root = "CAP_SYS_CHROOT" in capabilities.held() and self._may_separate()
        self._landlock = not self.is_root and landlock.available()
        self.lack = (
            ""
            if self.is_root or self._landlock
            else "the compiler is not confined: it can open any file its user may read"
        )

    def run(self, work: Callable[[Path], _T]) -> _T:
        """The result of `work`, which gets the folder's path as seen inside. Raises what `work` raises."""
        return _in_thread(lambda: work(self._enter()))

    def _may_separate(self) -> bool:
        """Whether a thread may get a root directory of its own: a container's seccomp filter may deny that to root."""
        try:
            _in_thread(self._separate)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS):
                return False
            raise
        return True

    def _separate(self) -> None:
        if _libc.unshare(_CLONE_FS):
            raise OSError(ctypes.get_errno(), "separating the root directory")
        os.chroot(self._folder)
        os.chdir("/")

    def _enter(self) -> Path:
        """Enter the sandbox. Root directory, working directory, user and capabilities are per thread."""
        if self.is_root:
            self._separate()
        self._give_up()
        if self._landlock:
            landlock.only([self._folder, _CPUS], [_KALLSYMS])
        return Path("/") if self.is_root else self._folder


def _in_thread(work: Callable[[], _T]) -> _T:
    """The result of `work` in a new thread. Raises what `work` raises."""
    found: list[_T] = []
    failed: list[BaseException] = []

    def inside() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _remove_old() -> None:
    """What tasks have left that were killed, as those are that run when a command ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _OLD:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def sandbox(rights: Callable[[], AbstractContextManager[None]]) -> Iterator[tuple[Path, list[str]]]:
    """An empty directory, created with these rights, and a note for each thing that is unavailable.
    tracefs is mounted.
    """
    try:
        tracefs.private_mounts()
        tracefs.mount("tmpfs", _SCRATCH, "tmpfs")
    except OSError as error:
        with rights():
            _remove_old()
            scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            yield scratch, [f"no private mount namespace ({error.strerror}): a temporary directory is used"]
        finally:
            with rights():
                shutil.rmtree(scratch, ignore_errors=True)
        return
    notes = []
    try:
        tracefs.mount_private()
    except OSError as error:
        notes.append(f"tracefs could not be mounted: {error.strerror}")
    scratch = _SCRATCH / "compiler"
    with rights():
        scratch.mkdir(0o700)
    yield scratch, notes
