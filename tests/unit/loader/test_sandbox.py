"""Where the compiler works: what it can open, by root directory, by Landlock, or not at all confined."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ebpftop.kernel import capabilities, landlock, tracefs
from ebpftop.loader import sandbox as sandbox_module
from ebpftop.loader.sandbox import PREFIX, View, sandbox
from tests.support.lacking import needs_landlock


def keep_privileges() -> None:
    """Nothing to give up, but what Landlock takes."""
    assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS, of this thread


def reads(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return type(error).__name__


@pytest.mark.root
def test_the_folder_is_the_root_directory(tmp_path: Path) -> None:
    (tmp_path / "inside").write_text("in")
    view = View(tmp_path, keep_privileges)
    assert view.run(lambda root: (root, reads(root / "inside"), os.listdir("/"))) == (Path("/"), "in", ["inside"])
    assert view.run(lambda root: reads(root / ".." / "etc" / "passwd")) == "FileNotFoundError"
    assert (view.is_root, view.lack) == (True, "")
    assert Path("/etc/passwd").exists()  # this thread's root directory is still the same


class FilteredLibc:
    """libc where a seccomp filter denies unshare(2)."""

    def unshare(self, _: int) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1


@needs_landlock
@pytest.mark.parametrize("held", [(), ("CAP_SYS_CHROOT",)], ids=["no capability", "seccomp"])
def test_landlock_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: tuple[str, ...]) -> None:
    monkeypatch.setattr(capabilities, "held", lambda: frozenset(held))
    monkeypatch.setattr(sandbox_module, "_libc", FilteredLibc())
    (tmp_path / "view").mkdir()
    (tmp_path / "beside").write_text("out")
    (tmp_path / "view" / "link").symlink_to(tmp_path / "beside")
    view = View(tmp_path / "view", keep_privileges)

    def looked(root: Path) -> list[str]:
        (root / "inside").write_text("in")
        return [reads(root / "inside"), reads(root / "link"), reads(tmp_path / "beside"), reads(Path("/etc/passwd"))]

    assert view.run(looked) == ["in", *["PermissionError"] * 3]
    assert view.run(lambda _: bool(reads(Path("/proc/kallsyms"))))
    assert (view.is_root, view.lack) == (False, "")
    assert reads(tmp_path / "beside") == "out"  # in this thread


def test_without_either_what_the_compiler_can_open_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "held", frozenset)
    monkeypatch.setattr(landlock, "available", lambda: False)
    view = View(tmp_path, lambda: None)
    assert view.lack == "the compiler is not confined: it can open any file its user may read"
    assert view.run(lambda root: root) == tmp_path


def test_what_is_raised_inside_is_raised_outside(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise SystemExit(threading.current_thread() is threading.main_thread())

    with pytest.raises(SystemExit) as leaving:
        View(tmp_path, keep_privileges).run(fail)
    assert leaving.value.code is False


def test_without_a_mount_namespace_what_a_killed_task_left_goes_within_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(tracefs, "private_mounts", refused)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    child = os.fork()
    if child == 0:
        with sandbox(contextlib.nullcontext) as (scratch, _):
            (scratch / "linux.h").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = tmp_path.glob(f"{PREFIX}*")
    (tmp_path / f"{PREFIX}link").symlink_to(Path(__file__).parent)
    with sandbox(contextlib.nullcontext):
        assert left.exists()  # it may be another task's
    hours_ago = time.time() - 7200
    os.utime(left, (hours_ago, hours_ago))
    os.utime(tmp_path / f"{PREFIX}link", (hours_ago, hours_ago), follow_symlinks=False)
    with sandbox(contextlib.nullcontext):
        assert not left.exists()
    assert Path(__file__).exists()
