"""Errors in every spelling."""

import pytest

from ebpftop.verifier.errnos import find


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("failed to create: -EINVAL", "EINVAL"),
        ("failed to create: Invalid argument(-22)", "EINVAL"),
        ("Prog section 'x' rejected: Argument list too long (7)!", "E2BIG"),
        ("the syscall returned Argument list too long (os error 7).", "E2BIG"),
        ("failed to find kernel BTF type ID of 'f': -3", "ESRCH"),
        ("failed to attach: ERROR: strerror_r(-524)=22", "ENOTSUPP"),
        ("load program: unknown error 524", "ENOTSUPP"),
        ("unknown error (-524)", "ENOTSUPP"),
        ("errno=95", "EOPNOTSUPP"),
        ("failed (errno: 7)", "E2BIG"),
        ("error code -13", "EACCES"),
        ("bpf: Failed to load program: Permission denied", "EACCES"),
        ("map create: invalid argument (without BTF k/v)", "EINVAL"),
        ("failed to create map `m` with code -1", ""),
        ("instruction 22 is fine", ""),
        ("pid=26", ""),
        ("ERROR: something", ""),
        ("", ""),
    ],
)
def test_an_error_is_found(text: str, name: str) -> None:
    assert find(text) == name
