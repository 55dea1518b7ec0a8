"""What a process says that ended by an exception: a lack of this machine is one line and no bug."""

import errno
import os

import pytest

from ebpftop.base import crash

MEMORY = "ebpftop: there is not enough memory for this (see 'ulimit -v')\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("can't start new thread"),
        ImportError("Advice.\n\nOriginal error was: /x.so: failed to map segment from shared object"),
        ImportError("/x.so: cannot allocate: Cannot allocate memory"),
    ],
    ids=repr,
)
def test_a_lack_of_memory_is_told_however_it_shows(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    crash.tell("collector", error)
    assert capsys.readouterr().err == MEMORY


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, ""), ImportError("/x.so: cannot open shared object file: Too many open files")]
)
def test_so_is_one_of_open_files(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    crash.tell("collector", error)
    assert capsys.readouterr().err.startswith("ebpftop: too few files may be open at once: raise the limit")


def test_another_exception_is_a_bug(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    crash.tell("collector", ImportError("no module \x1b[31m"))
    said = capsys.readouterr().err
    assert said.startswith(
        "ebpftop: internal error in the collector (ImportError: no module \\x1b[31m); the report is in"
    )
