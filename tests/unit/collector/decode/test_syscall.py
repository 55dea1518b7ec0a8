"""System calls by number."""

import platform
import re
from pathlib import Path

import pytest

from ebpftop.base.syscalls import table
from ebpftop.collector.decode.syscall import name

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


@pytest.mark.parametrize(
    ("machine", "known"),
    [
        ("x86_64", {0: "read", 59: "execve", 202: "futex", 257: "openat", 334: "rseq", 335: "uretprobe"}),
        ("aarch64", {0: "io_setup", 56: "openat", 63: "read", 79: "newfstatat", 221: "execve", 294: "kexec_file_load"}),
    ],
)
def test_numbers_of_both_machines(machine: str, known: dict[int, str]) -> None:
    names = table(machine)
    assert {number: names[number] for number in known} == known
    assert {number: names[number] for number in (424, 435, 462, 469)} == {
        424: "pidfd_send_signal",
        435: "clone3",
        462: "mseal",
        469: "file_setattr",
    }
    assert 400 not in names
    assert len(set(names.values())) == len(names)


@pytest.mark.skipif(not HEADER.exists(), reason="the C library's headers are not installed")
def test_the_c_library_s_header_agrees() -> None:
    names = table("x86_64")
    defined = {int(number): text for text, number in re.findall(r"#define __NR_(\w+) (\d+)\n", HEADER.read_text())}
    assert len(defined) > 300
    assert {number: names.get(number, "not known") for number in defined} == defined


def test_numbers_without_a_name() -> None:
    assert table("vax") == {}
    assert [name(9999), name(-1)] == ["9999", "-1"]


def test_32_bit_calls_have_names_of_their_own() -> None:
    assert [name(512 + number) for number in (0, 11, 361, 403, 435, 500)] == [
        "restart_syscall (32-bit)",
        "execve (32-bit)",
        "bind (32-bit)",
        "clock_gettime64 (32-bit)",
        "clone3 (32-bit)",
        "500 (32-bit)",
    ]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86-64's")
def test_names_are_those_of_this_machine() -> None:
    assert name(257) == "openat"
