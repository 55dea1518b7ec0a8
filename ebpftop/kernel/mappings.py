"""What is mapped at a process's addresses: /proc/PID/maps and the files behind it, see proc(5)."""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) (\d+)(?: +(.*))?")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SLACK_NS = 2 * _TICK_NS  # start times are in ticks
_PERF_MAP_LIMIT = 64 << 20  # bytes


class Mapping(NamedTuple):
    """`start` <= address < `end`; `path` as the process sees it, empty for anonymous memory."""

    start: int
    end: int
    offset: int  # in the file
    device: bytes
    inode: int
    path: bytes

    @property
    def module(self) -> str:
        """The file's name without its directory."""
        name = self.path.rpartition(b"/")[2].removesuffix(b" (deleted)")
        return name.decode("utf-8", "backslashreplace")

    @property
    def nameless(self) -> bool:
        """Whether it may hold JIT-compiled code: anonymous memory or a deleted file."""
        return self.path.endswith(b" (deleted)") or (not self.inode and not self.path.startswith(b"[v"))


class Mappings:
    """A process's executable mappings. Raises `OSError`: `ProcessLookupError` if the pid now belongs to another one."""

    def __init__(self, pid: int, start_ns: int) -> None:
        self.pid = pid
        self._check(start_ns)
        with open(f"/proc/{pid}/maps", "rb") as file:
            lines = file.read().split(b"\n")
        self._check(start_ns)
        self.mappings = [each for line in lines if (each := _mapping(line)) is not None]
        self._starts = [each.start for each in self.mappings]

    def _check(self, start_ns: int) -> None:
        with open(f"/proc/{self.pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        if abs(ticks * _TICK_NS - start_ns) > _SLACK_NS:
            raise ProcessLookupError(self.pid)

    def at(self, address: int) -> Mapping | None:
        after = bisect_right(self._starts, address)
        found = self.mappings[after - 1] if after else None
        return found if found and address < found.end else None

    def holding(self, addresses: Iterable[int]) -> set[Mapping]:
        """The mappings that contain these addresses."""
        return {found for address in addresses if (found := self.at(address)) is not None}

    def open(self, mapping: Mapping) -> int:
        """A descriptor of the mapped file itself, even if its path was changed or deleted. Raises `OSError`."""
        for path in (
            f"/proc/{self.pid}/map_files/{mapping.start:x}-{mapping.end:x}".encode(),
            f"/proc/{self.pid}/root".encode() + mapping.path,  # reading map_files takes more capabilities
        ):
            try:
                status = os.stat(path)
                if stat.S_ISREG(status.st_mode) and status.st_ino == mapping.inode:
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except (OSError, ValueError):
                continue
        raise FileNotFoundError(mapping.path)

    def perf_map(self) -> bytes:
        """The JIT compiler's perf map of its functions, lines `START SIZE NAME`; empty if there is none."""
        try:
            with open(f"/proc/{self.pid}/status", "rb") as file:
                inner = file.read().partition(b"NSpid:")[2].partition(b"\n")[0].split()[-1]
            path = f"/proc/{self.pid}/root/tmp/perf-{int(inner)}.map"
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (OSError, IndexError, ValueError):
            return b""
        try:
            status = os.fstat(fd)
            owners = {0, os.stat(f"/proc/{self.pid}").st_uid}
            if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners:
                return b""
            return os.pread(fd, _PERF_MAP_LIMIT, 0)
        except OSError:  # the process has ended
            return b""
        finally:
            os.close(fd)


def _mapping(line: bytes) -> Mapping | None:
    match = _LINE.fullmatch(line)
    if match is None or b"x" not in match[3]:
        return None
    start, end, offset = (int(match[n], 16) for n in (1, 2, 4))
    return Mapping(start, end, offset, match[5], int(match[6]), match[7] or b"")
