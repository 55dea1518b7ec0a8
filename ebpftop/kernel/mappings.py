"""The files and memory mapped at a process's addresses: /proc/PID/maps, see proc(5)."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from ebpftop.base.answering import Answering

_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) (\d+)(?: +(.*))?")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
MOST = 8192  # mappings of one process
_SLACK_NS = 2 * _TICK_NS  # start times are in ticks
_KERNELS = (b"[v", b"[uprobes]")  # [vdso] and the like: code that the kernel maps
_MEMORY = (b"/memfd:", b"/dev/zero", b"/SYSV")  # files in name only: compilers map their memory twice this way


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
        """Whether it may contain JIT-compiled code: anonymous memory or a deleted file."""
        return self.path.endswith(b" (deleted)") or (not self.inode and not self.path.startswith(_KERNELS))


class Mappings:
    """A process's executable mappings that contain these addresses; only these are kept, however many it has. Without
    addresses, all mappings are kept, up to `MOST`.

    answering: files on file systems that don't answer are not looked at. Raises `OSError`, including
    `ProcessLookupError` if it is another process.
    """

    def __init__(self, pid: int, start_ns: int, addresses: Iterable[int] | None, answering: Answering) -> None:
        self.pid = pid
        self._answering = answering
        self._check(start_ns)
        with open(f"/proc/{pid}/maps", "rb") as file:
            found = (each for line in file if (each := _mapping(line.removesuffix(b"\n"))) is not None)
            self.mappings = list(islice(found, MOST) if addresses is None else _with(sorted(addresses), found))
        self._check(start_ns)
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

    def identity(self, mapping: Mapping) -> str:
        """Identifies the mapped file and the address of its beginning. It stays the same as long as the code does;
        empty for memory without a file.
        """
        file = self.file(mapping)
        return f"{file}:{mapping.start - mapping.offset:x}" if file else ""

    def file(self, mapping: Mapping) -> str:
        """The mapped file and its version. Empty for anonymous memory, which a compiler may overwrite at any time."""
        if mapping.path.startswith(b"[v"):
            return mapping.module
        if not mapping.inode or mapping.path.startswith(_MEMORY):
            return ""
        version = ""
        for path in self._paths(mapping):
            with contextlib.suppress(OSError, ValueError):
                status = os.stat(path)
                version = f"{status.st_ctime_ns:x}:{status.st_size:x}"  # inode numbers are reused
                break
        device = mapping.device.decode("ascii", "replace")
        return f"{device}:{mapping.inode}:{version}"

    def _paths(self, mapping: Mapping) -> tuple[bytes, ...]:
        """None where the file system doesn't answer."""
        paths = (
            f"/proc/{self.pid}/map_files/{mapping.start:x}-{mapping.end:x}".encode(),
            f"/proc/{self.pid}/root".encode() + mapping.path,  # reading map_files takes more capabilities
        )
        answers = self._answering.answers(mapping.device, lambda: os.pread(_open(mapping, paths), 1, 0))
        return paths if answers else ()

    def open(self, mapping: Mapping) -> int:
        """A descriptor of the mapped file itself, even if its path was changed or deleted. Raises `OSError`."""
        return _open(mapping, self._paths(mapping))

    def perf_map(self) -> int | None:
        """A descriptor of a just-in-time compiler's list of its functions, lines `START SIZE NAME`."""
        try:
            with open(f"/proc/{self.pid}/status", "rb") as file:
                inner = file.read().partition(b"NSpid:")[2].partition(b"\n")[0].split()[-1]
            path = f"/proc/{self.pid}/root/tmp/perf-{int(inner)}.map"
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (OSError, IndexError, ValueError):
            return None
        with contextlib.suppress(OSError):  # the process has ended
            status = os.fstat(fd)
            owners = {0, os.stat(f"/proc/{self.pid}").st_uid}
            if stat.S_ISREG(status.st_mode) and status.st_uid in owners:
                return fd
        os.close(fd)
        return None


def _open(mapping: Mapping, paths: Iterable[bytes]) -> int:
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            return _open_inode(path, mapping.inode)
    raise FileNotFoundError(mapping.path)


def _open_inode(path: bytes, inode: int) -> int:
    """Open a regular file if it is this inode; the owner of the path may change its target at any time.

    Raises `OSError`, including `FileNotFoundError` if it is another file, which is not opened.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(place)
        if not stat.S_ISREG(status.st_mode) or status.st_ino != inode:
            raise FileNotFoundError(path)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(place)


def open_again(path: bytes, device: bytes, inode: int) -> int:
    """A descriptor of the regular file that was mapped from this path, if it is there. Raises `OSError`, `ValueError`,
    including `FileNotFoundError` if it is another file.
    """
    descriptor = _open_inode(path, inode)
    try:
        # A file system may report different devices for a file and for its mapping, so map the file, too.
        with mmap.mmap(descriptor, 1, prot=mmap.PROT_READ), open("/proc/self/maps", "rb") as maps:
            known = any(line.split()[1:5:2] == [b"r--s", device] and line.split()[4] == b"%d" % inode for line in maps)
        if not known:
            raise FileNotFoundError(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _with(wanted: list[int], found: Iterable[Mapping]) -> Iterator[Mapping]:
    """The mappings that contain one of these addresses, which are sorted."""
    return (each for each in found if bisect_left(wanted, each.start) < bisect_left(wanted, each.end))


def _mapping(line: bytes) -> Mapping | None:
    match = _LINE.fullmatch(line)
    if match is None or b"x" not in match[3]:
        return None
    start, end, offset = (int(match[n], 16) for n in (1, 2, 4))
    return Mapping(start, end, offset, match[5], int(match[6]), match[7] or b"")
