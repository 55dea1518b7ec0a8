"""What a process says that ended by an exception: a lack of this machine is one line and no bug."""

import errno
import os
import resource

import pytest

from ebpftop.base import crash

MEMORY = "ebpftop: not enough memory for this (see 'ulimit -v')\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("Advice.\n\nOriginal error was: /x.so: failed to map segment from shared object"),
        ImportError("/x.so: cannot allocate: Cannot allocate memory"),
        OSError("libx.so.14: failed to map segment from shared object"),
    ],
    ids=repr,
)
def test_a_lack_of_memory_is_told_however_it_shows(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    crash.tell("collector", error)
    assert capsys.readouterr().err == MEMORY


def test_a_thread_that_can_not_be_started_lacks_memory_or_a_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RuntimeError("can't start new thread")
    crash.tell("collector", error)
    said = "no more processes or threads can be started (see 'ulimit -u' and pids.max of the cgroup)"
    assert capsys.readouterr().err == f"ebpftop: {said}\n"
    monkeypatch.setattr(crash, "_STACK", 1 << 62)
    crash.tell("collector", error)
    assert capsys.readouterr().err == MEMORY


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, ""), ImportError("/x.so: cannot open shared object file: Too many open files")]
)
def test_so_is_one_of_open_files(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    crash.tell("collector", error)
    assert capsys.readouterr().err.startswith("ebpftop: too many open files: raise the limit")


def test_an_extension_that_fails_without_a_reason_lacks_memory_where_that_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = SystemError("error return without exception set")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 28, 1 << 28))
    assert crash.lacks_memory(error)
    assert not crash.lacks_memory(SystemError("bad argument to internal function"))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert not crash.lacks_memory(error)


def test_another_exception_is_a_bug(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    crash.tell("collector", ImportError("no module \x1b[31m"))
    said = capsys.readouterr().err
    assert said.startswith(
        "ebpftop: internal error in the collector (ImportError: no module \\x1b[31m); the report is in"
    )
