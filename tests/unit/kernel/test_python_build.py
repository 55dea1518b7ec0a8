"""The CPython in a file: of those that are here, and of files that tell something else."""

from __future__ import annotations

import ctypes
import struct
import sys
from pathlib import Path

import pytest

from ebpftop.kernel import python_build
from ebpftop.kernel.elf import Elf
from ebpftop.kernel.python_build import Build
from tests.support.pythons import ABSENT, VERSIONS, commands

RUNTIME, VERSION = 0x8000, 0x4000
OFFSETS_3_13 = {5: 632, 8: 7264, 9: 7344} | python_build._EXPECTED[13]


class File(Elf):
    """One that has only what is asked of it."""

    def __init__(self, words: list[int], version: int = 0, *, symbol: bool = True, section: bool = True) -> None:
        self.symbols = {b"_PyRuntime": RUNTIME if symbol else None, b"Py_Version": VERSION if version else None}
        self.section_at = RUNTIME if section else None
        self.content = {RUNTIME: struct.pack(f"<{len(words)}Q", *words), VERSION: version.to_bytes(8, "little")}

    def begin(self, name: bytes) -> int | None:
        return self.section_at

    def variable(self, name: bytes) -> int | None:
        return self.symbols[name]

    def bytes_at(self, address: int, length: int) -> bytes:
        return self.content[address][:length]


def described(minor: int, changed: dict[int, int] | None = None) -> list[int]:
    """The words of a runtime that says what it looks like."""
    words = [0] * 56
    words[0], words[1] = int.from_bytes(b"xdebugpy", "little"), 3 << 24 | minor << 16
    for at, value in {**OFFSETS_3_13, **(changed or {})}.items():
        words[at] = value
    return words


@pytest.mark.parametrize("version", VERSIONS)
def test_every_cpython_that_is_here_is_known(version: str) -> None:
    files = [file for command in commands(version) for file in _files(Path(command[-1]), version)]
    if not files:
        pytest.skip(ABSENT.format(version))
    found = [_build(file) for file in files]
    known = [each for each in found if each is not None and not each.problem]
    assert known
    assert {each.minor for each in known} == {int(version.partition(".")[2])}
    assert all(each.runtime > 0 and 0 < each.interpreters < 1 << 20 for each in known)


def _files(program: Path, version: str) -> list[Path]:
    library = program.parent.parent / f"lib/libpython{version}.so.1.0"
    return [each for each in (program, library) if each.exists()]


def _build(path: Path) -> Build | None:
    with path.open("rb") as file:
        return python_build.build(Elf.of(file.fileno()), path.name)


def test_the_runtime_is_where_this_interpreter_has_it() -> None:
    """As far apart from another variable as the dynamic linker put them."""
    path = Path(sys.executable).resolve()
    build, of = _build(path), path
    if build is None or build.problem:
        (of,) = (each for each in _files(path, f"3.{sys.version_info.minor}") if each != path)
        build = _build(of)
    assert build is not None
    here = [ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, each)) for each in ("_PyRuntime", "Py_Version")]
    with of.open("rb") as file:
        version = Elf.of(file.fileno()).variable(b"Py_Version")
    assert version is not None
    assert build.runtime - version == here[0] - here[1]


def test_what_a_runtime_says_of_itself_is_taken() -> None:
    assert python_build.build(File(described(13)), "x") == Build(RUNTIME, 13, 632, 7264, 7344)
    assert python_build.build(File(described(13), symbol=False), "x") == Build(RUNTIME, 13, 632, 7264, 7344)
    assert python_build.build(File([0] * 56, 0x030C01F0), "x") == Build(RUNTIME, 12, 40, 0, 72)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (File(described(13, {2: 1})), "free-threaded"),
        (File(described(13, {33: 71})), "an unknown memory layout"),
        (File(described(13, {8: 1 << 40})), "an unknown memory layout"),
        (File(described(15)), "it is 3.15: 3.11 to 3.14 are supported"),
        (File([0] * 56, 0x030D00F0), "doesn't describe its memory layout"),
        (File([0] * 56), "older than 3.11"),
        (File([], 0x020712F0), "it is 2.7"),
        (File([], symbol=False, section=False), "no symbol _PyRuntime"),
    ],
)
def test_what_is_not_known_says_why(file: File, problem: str) -> None:
    found = python_build.build(file, "python3.9")
    assert found is not None
    assert problem in found.problem
    assert not found.runtime


def test_other_files_hold_none() -> None:
    assert python_build.build(File([], symbol=True, section=False), "libfoo.so.1") is None
    assert python_build.build(File([], symbol=True, section=False), "python3-config.so") is None
