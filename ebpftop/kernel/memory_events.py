"""Events of executable memory, as perf_event_open(2) reports them: forks, executed programs, mappings, exits.

Opening requires root. Reading does not: the holder of the descriptor can map its ring, and enable and disable it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ebpftop.kernel import perf

PAGES = 32  # of a CPU's ring; by default one user may map 129 pages a CPU
SIZE = PAGES * mmap.PAGESIZE
_HEADER = struct.Struct("<IHH")
_POSITIONS = struct.Struct("<QQ")  # data_head and data_tail of struct perf_event_mmap_page
_AT_POSITIONS = 1024
_COMM, _EXIT, _FORK, _LOST, _MMAP2 = 3, 4, 7, 2, 10
_COMM_EXEC = 1 << 13
_TASK = struct.Struct("<IIII")
_MAPPED = struct.Struct("<IIQQQIIQQII")
_LOST_RECORDS = struct.Struct("<QQ")
_TIME = struct.Struct("<Q")
_END, _LONGEST_FILE = 1 << 64, 1 << 63  # no kernel tells of more
_LEAST = {_MMAP2: _MAPPED.size, _FORK: _TASK.size, _EXIT: _TASK.size, _COMM: 8, _LOST: _LOST_RECORDS.size}
_IOC_ENABLE, _IOC_DISABLE = 0x2400, 0x2401


class File(NamedTuple):
    """A mapped file, as in /proc/PID/maps; `path` as its process sees it. generation: tells apart files that reuse an
    inode.
    """

    device: bytes
    inode: int
    generation: int
    path: bytes


class Mapped(NamedTuple):
    """`start` <= address < `end`; `offset` is where the mapping begins in its file. Times are boottime in ns."""

    time: int
    tgid: int
    start: int
    end: int
    offset: int
    file: File


class Forked(NamedTuple):
    time: int
    tgid: int
    parent: int


class Executed(NamedTuple):
    time: int
    tgid: int


class Ended(NamedTuple):
    time: int
    tgid: int


Event = Mapped | Forked | Executed | Ended


def open_all() -> list[int]:
    """Disabled event descriptors, one a CPU. Raises `OSError`, `KernelLacks`."""
    found: list[int] = []
    try:
        for cpu in _online():
            found.append(perf.open_memory_events(cpu, wake_at=SIZE // 4))
    except OSError:
        for fd in found:
            os.close(fd)
        raise
    return found


_ONLINE = "/sys/devices/system/cpu/online"


def _online() -> list[int]:
    with open(_ONLINE) as file:
        parts = [part.partition("-") for part in file.read().strip().split(",")]
    return [cpu for first, _, last in parts for cpu in range(int(first), int(last or first) + 1)]


class MemoryEvents:
    """One CPU's events. It owns the descriptor. Raises `OSError` if the ring can't be mapped."""

    def __init__(self, fd: int) -> None:
        self.fd, self.size, self.lost = fd, SIZE, 0
        self._ring = mmap.mmap(fd, mmap.PAGESIZE + SIZE)

    def switch(self, on: bool) -> None:
        fcntl.ioctl(self.fd, _IOC_ENABLE if on else _IOC_DISABLE, 0)

    @property
    def waiting(self) -> int:
        """The number of unread bytes."""
        head, tail = _POSITIONS.unpack_from(self._ring, _AT_POSITIONS)
        return int(head - tail)

    def drain(self) -> list[Event]:
        """All events since the previous call."""
        head, tail = _POSITIONS.unpack_from(self._ring, _AT_POSITIONS)
        if head == tail:
            return []
        at, data = tail % SIZE, self._ring
        end = at + head - tail
        first = mmap.PAGESIZE + at
        content = (
            data[first : mmap.PAGESIZE + min(end, SIZE)] + data[mmap.PAGESIZE : mmap.PAGESIZE + max(0, end - SIZE)]
        )
        _TIME.pack_into(self._ring, _AT_POSITIONS + 8, head)
        return list(self._events(content))

    def _events(self, content: bytes) -> Iterator[Event]:
        at = 0
        while at + _HEADER.size <= len(content):
            kind, misc, size = _HEADER.unpack_from(content, at)
            if size < _HEADER.size + _TIME.size or at + size > len(content):
                return
            body, after = at + _HEADER.size, at + size - _TIME.size
            at += size
            (time,) = _TIME.unpack_from(content, after)
            if after - body < _LEAST.get(kind, 0):
                continue
            if kind == _MMAP2:
                mapped = _mapped(content, body, after, time)
                if mapped.end <= _END and mapped.offset + mapped.end - mapped.start <= _LONGEST_FILE:
                    yield mapped
            elif kind in (_FORK, _EXIT):
                tgid, parent, thread, _ = _TASK.unpack_from(content, body)
                if kind == _FORK and tgid != parent:
                    yield Forked(time, tgid, parent)
                elif kind == _EXIT and tgid == thread:
                    yield Ended(time, tgid)
            elif kind == _COMM and misc & _COMM_EXEC:
                yield Executed(time, int.from_bytes(content[body : body + 4], "little"))
            elif kind == _LOST:
                self.lost += _LOST_RECORDS.unpack_from(content, body)[1]

    def close(self) -> None:
        self._ring.close()
        os.close(self.fd)


def _mapped(content: bytes, body: int, after: int, time: int) -> Mapped:
    tgid, _, start, length, offset, major, minor, inode, generation, _, _ = _MAPPED.unpack_from(content, body)
    path = content[body + _MAPPED.size : after].partition(b"\0")[0]
    return Mapped(
        time, tgid, start, start + length, offset, File(b"%02x:%02x" % (major, minor), inode, generation, path)
    )
