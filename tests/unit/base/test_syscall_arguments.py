"""System calls as a person reads them, and the descriptor that each is about."""

from __future__ import annotations

import pytest

from ebpftop.base import syscalls
from ebpftop.base.syscall_arguments import descriptor, names, written

BUF, MINUS_1, MINUS_100 = 1 << 32, (1 << 64) - 1, 0xFFFFFF9C


@pytest.mark.parametrize(
    ("call", "arguments", "text"),
    [
        ("read", [3, BUF, 4096, 9, 9, 9], "read(fd=3, buf=0x100000000, count=4096)"),
        ("openat", [MINUS_100, BUF, 0x80000, 0], "openat(dfd=AT_FDCWD, path=0x100000000, flags=0x80000, mode=0x0)"),
        ("epoll_wait", [4, BUF, 64, MINUS_1], "epoll_wait(epfd=4, events=0x100000000, maxevents=64, timeout_ms=-1)"),
        (
            "futex",
            [BUF, 128, 2, 0, 0, 0],
            "futex(uaddr=0x100000000, op=WAIT|PRIVATE, val=2, timeout=0, uaddr2=0, val3=0)",
        ),
        ("futex", [16, 393, 2], "futex(uaddr=16, op=WAIT_BITSET|PRIVATE|CLOCK_REALTIME, val=2)"),
        ("futex", [16, 99, 2], "futex(uaddr=16, op=99, val=2)"),
        ("fcntl", [5, 7, 16], "fcntl(fd=5, cmd=F_SETLKW, argument=16)"),
        ("flock", [5, 2], "flock(fd=5, operation=LOCK_EX)"),
        ("flock", [5, 5], "flock(fd=5, operation=LOCK_SH|LOCK_NB)"),
        ("wait4", [MINUS_1, 0, 0, 0], "wait4(pid=-1, status=0, options=0, rusage=0)"),
        ("sync", [1, 2, 3], "sync()"),
        ("capget", [1, 2], "capget(0x1, 0x2)"),
        ("777", [], "777()"),
    ],
)
def test_arguments_are_written_as_what_they_are(call: str, arguments: list[int], text: str) -> None:
    assert written(call, arguments) == text


@pytest.mark.parametrize(
    ("call", "arguments", "found"),
    [
        ("read", [3], 3),
        ("sendfile", [7, 4], 4),
        ("splice", [6, 0, 7], 6),
        ("openat", [MINUS_100], None),
        ("openat", [9], 9),
        ("close", [MINUS_1], None),
        ("poll", [3], None),
        ("capget", [3], None),
        ("read", [], None),
    ],
)
def test_a_call_is_about_one_descriptor_or_none(call: str, arguments: list[int], found: int | None) -> None:
    assert descriptor(call, arguments) == found


def test_all_names_are_those_of_system_calls() -> None:
    from ebpftop.base import syscall_arguments

    assert syscall_arguments._NAMES.keys() <= set(syscalls.table("x86_64").values())
    assert names("pwrite64") == ("fd", "buf", "count", "offset")
