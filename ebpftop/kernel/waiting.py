"""Parses files of /proc/PID/task/TID that say where a thread waits: see the kernel's fs/proc/base.c, lib/syscall.c and
kernel/sched/debug.c.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ebpftop.kernel.proc import text

COMPAT = 512  # added to the numbers of 32-bit programs' system calls, like COMPAT_NUMBERS of probes/include/ebpftop.h
MOST_FRAMES = 64
_FRAME = re.compile(rb"\[<[0-9a-fx]+>\] ([^\s+]+)(?:\+0x[0-9a-f]+/0x[0-9a-f]+)?(?: (\[[^\]\s]+\]))?")
_CALL = re.compile(rb"(\d{1,9})((?: 0x[0-9a-f]{1,16}){6}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})\n?\Z")
_32_BITS = 1 << 32
_RAN = re.compile(rb"^se\.exec_start +: +(\d{1,13})\.(\d{6})$", re.MULTILINE)
_SWITCHES = re.compile(rb"^nr_switches +: +(\d{1,19})$", re.MULTILINE)


class Call(NamedTuple):
    """A system call that has not returned, with six argument registers, of which it may use fewer."""

    number: int
    arguments: tuple[int, ...]


def stack(raw: bytes) -> list[str]:
    """The functions in /proc/PID/stack, innermost first: `name`, or `name [module]`."""
    found = (_FRAME.match(line) for line in raw.split(b"\n")[:MOST_FRAMES])
    return [text(b" ".join(part for part in each.groups() if part))[:128] for each in found if each]


def call(raw: bytes) -> Call | None:
    """The system call in /proc/PID/syscall; None for a thread that runs, or that waits outside of any system call.

    The kernel doesn't report which table the number is from. If stack and code lie below 4 GiB, the number is taken for
    a 32-bit one.
    """
    found = _CALL.match(raw)
    if found is None:
        return None
    compat = int(found[3], 16) < _32_BITS and int(found[4], 16) < _32_BITS
    return Call(int(found[1]) + COMPAT * compat, tuple(int(each, 16) for each in found[2].split()))


class Ran(NamedTuple):
    """When a thread last ran, in ns of the scheduler's clock of that CPU, and how often it had left a CPU."""

    at_ns: int
    switches: int


def ran(raw: bytes) -> Ran | None:
    """The times in /proc/PID/sched; None if they are missing. Clocks of CPUs differ, and may run slower than real
    time.
    """
    at, times = _RAN.search(raw), _SWITCHES.search(raw)
    if at is None or times is None or not int(at[1]):
        return None
    return Ran(int(at[1]) * 1_000_000 + int(at[2]), int(times[1]))


def switches(status: dict[str, str]) -> int | None:
    """How often the thread has left a CPU, from its `status`: while that number stays the same, the thread has not
    run.
    """
    parts = [status.get(f"{kind}_ctxt_switches", "") for kind in ("voluntary", "nonvoluntary")]
    return sum(map(int, parts)) if all(part.isdecimal() for part in parts) else None
