"""Root task: reads the cost of every BPF program in the kernel, and which processes hold it.

It closes each descriptor before the next program, because an open descriptor keeps a foreign program alive.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import defaultdict
from collections.abc import Iterator

from ebpftop.frames.messages import Holder, Program, Programs
from ebpftop.handover import protocol, transport
from ebpftop.kernel import libbpf, program_info, support

MOST_DESCRIPTORS = 100_000  # that are looked at, of all processes: half a second
MOST_HOLDERS = 64  # of one program
OURS = "ebpftop:"  # how the names of our processes begin (`supervisor.process.spawn`)
_SETTING = "/proc/sys/kernel/bpf_stats_enabled"
_HOLDS = re.compile(r"anon_inode:\[?bpf[-_](prog|link)")  # where /proc/PID/fd/N points to
_PROGRAM = re.compile(rb"^prog_id:\s*(\d+)$", re.MULTILINE)


def run(channel: socket.socket) -> None:
    try:
        read = reading()
    except (OSError, libbpf.KernelLacks) as error:
        now = time.monotonic_ns()
        read = Programs(monotonic_ns=now, boottime_ns=now, error=f"BPF programs can't be listed: {error}")
    transport.send(channel, protocol.ProgramsRead(programs=read))


def reading() -> Programs:
    """All programs, now, in the order in which they were loaded. Raises `OSError`, `KernelLacks`."""
    monotonic, boottime = time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    found = list(_programs())
    holders, whole = _holders()
    whole = whole and support.pid_namespace().ok  # elsewhere /proc holds only some processes
    programs = [
        Program(
            id=each.id,
            name=each.name,
            type=each.type,
            tag=each.tag,
            loaded_ns=each.loaded_ns,
            run_time_ns=each.run_time_ns,
            run_count=each.run_count,
            jited=each.jited,
            translated=each.translated,
            holders=holders[each.id][:MOST_HOLDERS],
            own=any(holder.comm.startswith(OURS) for holder in holders[each.id]),
        )
        for each in found
    ]
    return Programs(
        monotonic_ns=monotonic,
        boottime_ns=boottime,
        accounted_since_ns=0 if _for_everybody() else None,
        programs=programs,
        whole=whole,
    )


def _for_everybody() -> bool:
    """Whether the administrator has switched on permanent accounting."""
    try:
        with open(_SETTING, "rb") as file:
            return file.read(1) == b"1"
    except OSError:
        return False


def _programs() -> Iterator[program_info.ProgramInfo]:
    for number in libbpf.program_ids():
        descriptor = libbpf.library().bpf_prog_get_fd_by_id(number)
        if descriptor < 0:
            continue  # it has gone since
        try:
            yield program_info.info(descriptor)
        finally:
            os.close(descriptor)


def _holders() -> tuple[defaultdict[int, list[Holder]], bool]:
    """The holders of each program, by its id, and whether every process was looked at."""
    found: defaultdict[int, list[Holder]] = defaultdict(list)
    left = MOST_DESCRIPTORS
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue  # it has ended
        left -= len(descriptors)
        if left < 0:
            return found, False
        if held := {number for each in descriptors if (number := _held(pid, each)) is not None}:
            holder = Holder(pid=pid, comm=_comm(pid))
            for number in held:
                found[number].append(holder)
    return found, True


def _held(pid: int, descriptor: str) -> int | None:
    """The id of the program behind a process's descriptor, if there is one."""
    try:
        if not _HOLDS.match(os.readlink(f"/proc/{pid}/fd/{descriptor}")):
            return None
        with open(f"/proc/{pid}/fdinfo/{descriptor}", "rb") as file:
            return held_program(file.read())
    except OSError:
        return None  # closed since


def held_program(fdinfo: bytes) -> int | None:
    """The id in a /proc/PID/fdinfo file of a program or a link; None if it names none.

    Format: bpf_prog_show_fdinfo() and bpf_link_show_fdinfo() of the kernel's kernel/bpf/syscall.c.
    """
    found = _PROGRAM.search(fdinfo)
    return int(found[1]) if found else None


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read()[:-1].decode("utf-8", "backslashreplace")
    except OSError:
        return ""
