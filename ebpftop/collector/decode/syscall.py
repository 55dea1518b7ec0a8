"""Names of system calls by the running kernel's numbers."""

from __future__ import annotations

from ebpftop.base import syscalls


def name(number: int) -> str:
    """`openat`, or the number."""
    return syscalls.NAMES.get(number, str(number))
