"""The /proc facts of processes, for the census: read in separate threads, because files of a process that hangs may
hang too.

If a thread waits inside execve(2) or holds its memory's lock, readers of `stat` or `cmdline` wait with it until it is
killed. So they are read in a thread of their own, some processes at a time. A process that takes too long is abandoned,
and only its name is known.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ebpftop.base.apart import Apart
from ebpftop.kernel import proc

_COMMAND = 4096  # bytes of a command line
_AT_ONCE = 64  # processes
_PATIENCE, _LITTLE = 2.0, 0.25  # seconds for these; once one was left behind (not less: a busy machine is slow, too)
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Facts(NamedTuple):
    """start: ns since boot, 0 where it can't be read. nspid: its innermost pid."""

    start: int
    comm: str
    ppid: int = 0
    uid: int = 0
    command: str = ""
    nspid: int = 0
    cgroup: str = ""


class Reader:
    """Reads several processes, and abandons those that hang."""

    def __init__(self) -> None:
        self._apart = Apart(_PATIENCE)

    def of(self, tgids: Sequence[int]) -> list[Facts | None]:
        """The facts of each process; None if it is gone."""
        found: list[Facts | None] = []
        while len(found) < len(tgids):
            part = tgids[len(found) : len(found) + _AT_ONCE]
            read: list[Facts | None] = []
            whole = self._apart.done(partial(read.extend, map(facts, part)))
            known = read[: len(part)]  # what was left behind may go on
            found += known
            if not whole and len(known) < len(part):
                found.append(_of_hanging(part[len(known)]))
                self._apart = Apart(_LITTLE)
        return found


def facts(tgid: int) -> Facts | None:
    """The facts of a process, None if it is gone."""
    found = stat(tgid)
    if found is None:
        return None
    comm, start = found
    try:
        status = proc.status(_read(tgid, "status"))
        return Facts(
            start=start,
            comm=comm,
            ppid=int(status["PPid"]),
            uid=int(status["Uid"].split()[1]),
            command=arguments(_read(tgid, "cmdline")),
            nspid=next(reversed(proc.inner_pids(status)), 0),
            cgroup=proc.cgroup(_read(tgid, "cgroup")),
        )
    except (OSError, KeyError, ValueError, IndexError):
        return Facts(start, comm)


def _of_hanging(tgid: int) -> Facts | None:
    """Only its name, which never blocks."""
    try:
        return Facts(0, arguments(_read(tgid, "comm").removesuffix(b"\n")))
    except OSError:
        return None


def stat(tgid: int) -> tuple[str, int] | None:
    """Name of a process and its start in ns since boot: fields 2 and 22 of /proc/PID/stat, see proc(5). None if it is
    gone.
    """
    try:
        with open(f"/proc/{tgid}/stat", "rb") as file:
            head, _, rest = file.read().rpartition(b")")
    except OSError:
        return None
    return arguments(head.partition(b"(")[2]), int(rest.split()[19]) * _TICK_NS


def has_ended(tgid: int, start: int) -> bool:
    """Whether the process with this start is gone. If its start isn't known, it counts as alive while its pid is in
    use.
    """
    if not start:
        return not os.path.exists(f"/proc/{tgid}")
    found = stat(tgid)
    return found is None or found[1] != start


def ticks(start: int) -> int:
    """A start in the unit of /proc."""
    return start // _TICK_NS * _TICK_NS


def c_text(raw: bytes) -> str:
    """A kernel's char array up to its NUL; what is not UTF-8 stays visible as escapes."""
    return bytes(raw).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def arguments(raw: bytes) -> str:
    """A command line as the kernel keeps it: arguments that end in NUL."""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")


def _read(tgid: int, name: str) -> bytes:
    """The beginning of a file of a process. Raises `OSError`."""
    with open(f"/proc/{tgid}/{name}", "rb") as file:
        return file.read(_COMMAND)
