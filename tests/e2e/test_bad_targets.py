"""Targets that can't be traced: one line and an exit code, before anything is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import complaint, ebpftop
from tests.support.elf_file import FUNCTION, elf, write

pytestmark = [pytest.mark.bpf, pytest.mark.beside]


@pytest.mark.needs("uprobe")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("binary=/no/such", "symbol=x"), "/no/such: No such file or directory"),
        (("binary=/etc", "symbol=x"), "/etc: not a file"),
        (
            ("binary=/etc/passwd", "symbol=x"),
            "/etc/passwd isn't a program or library that can be traced: not a 64-bit little-endian ELF file",
        ),
        (("binary=no-such-thing", "symbol=x"), "there is no program or library 'no-such-thing' here: give its path"),
        (("pid=4194304", "symbol=x"), "pid: '4194304': no such process"),
        (("binary=libc",), "nothing to trace: give function, or symbol"),
        ((), "nothing to trace: give function, or binary and symbol"),
    ],
)
def test_a_target_that_is_not_there(given: tuple[str, ...], expected: str) -> None:
    done = ebpftop("run", "funccount", *(part for one in given for part in ("-p", one)))
    assert complaint(done, 2) == f"application/funccount: {expected}"


@pytest.mark.needs("uprobe")
@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("f10007", "{} has no function f10007; did you mean f1007?"),
        ("g*", "no function of {} matches 'g*'"),
        ("f*", "'f*' matches 1,009 functions of {}; the limit is 100"),
    ],
)
def test_a_function_that_is_not_in_the_program(tmp_path: Path, symbol: str, expected: str) -> None:
    program = write(tmp_path / "many", elf({b"f%d" % n: (FUNCTION, n) for n in range(1009)}, code=bytes(2048)))
    done = ebpftop("run", "funccount", "-p", f"binary={program}", "-p", f"symbol={symbol}")
    assert complaint(done, 2) == f"application/funccount: {expected.format(program)}"


@pytest.mark.needs("uprobe")
def test_an_object_file(tmp_path: Path) -> None:
    """It has no segments, and tells no size of them."""
    whole = elf({b"f": (FUNCTION, 0)})
    program = write(tmp_path / "part.o", whole[:54] + bytes(4) + whole[58:])
    done = ebpftop("run", "funccount", "-p", f"binary={program}", "-p", "symbol=f")
    why = "an object file, which must be linked before it can run"
    what = f"{program} isn't a program or library that can be traced"
    assert complaint(done, 2) == f"application/funccount: {what}: {why}"


def test_a_function_the_kernel_does_not_have() -> None:
    expected = "application/funccount: this kernel has no traceable function vfs_no_such: renamed or inlined"
    assert complaint(ebpftop("run", "funccount", "-p", "function=vfs_no_such"), 2).startswith(expected)


@pytest.mark.needs("kprobe")
def test_a_pattern_that_matches_thousands_of_the_kernels_functions() -> None:
    line = complaint(ebpftop("run", "funccount", "-p", "function=*"), 2)
    assert line.startswith("application/funccount: '*' matches ")
    assert line.endswith(" functions of this kernel; the limit is 100")


@pytest.mark.needs("uprobe")
def test_a_program_is_opened_with_the_rights_of_who_asked(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", elf({b"main": (FUNCTION, 0)}))
    secret.chmod(0o700)
    who = {"SUDO_UID": "65534", "SUDO_GID": "65534"}
    done = ebpftop("run", "funccount", "-p", f"binary={secret}", "-p", "symbol=main", environment=who)
    assert complaint(done, 2) == f"application/funccount: {secret}: Permission denied"
