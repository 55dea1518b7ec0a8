"""One process in /proc, and the texts there: see proc(5) and the kernel's fs/proc/array.c, fs/proc/base.c, net/ipv4/.

All reads go through one descriptor of the process's folder. Once the process has ended, the descriptor never leads to
another process with the same number.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Container, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SLACK_NS = 2 * TICK_NS  # start times are in ticks
_LIMIT = re.compile(rb"Max (\S+(?: \S+)*?) {2,}(\S+) +(\S+)")
_TCP_STATES = (
    *("", "established", "SYN sent", "SYN received", "FIN wait 1", "FIN wait 2", "time wait", "closed"),
    *("close wait", "last ACK", "listening", "closing", "SYN received"),
)
_UNIX_STATES = {1: "unconnected", 2: "connecting", 3: "connected", 4: "disconnecting"}
_LISTENING = 0x10000  # __SO_ACCEPTCON, among a Unix socket's flags
_KTHREAD = 0x00200000  # PF_KTHREAD of linux/sched.h
INTERNET = ("tcp", "tcp6", "udp", "udp6")  # tables of /proc/PID/net


class Stat(NamedTuple):
    """The fields of /proc/PID/stat, or of a thread's stat. state: one letter. cpu_ns: user and kernel time. kernel:
    whether it is a kernel thread. cpu: the one on which it runs, or last ran.
    """

    comm: str
    state: str
    ppid: int
    threads: int
    start_ns: int
    cpu_ns: int
    kernel: bool = False
    cpu: int = 0


class Limit(NamedTuple):
    """A resource limit; None means unlimited."""

    name: str
    soft: int | None
    hard: int | None


class Connection(NamedTuple):
    """A socket. remote and state may be empty."""

    protocol: str
    local: str
    remote: str
    state: str


class ProcessFolder:
    """/proc/PID of the process that began at that time (ns since boot).

    Its methods raise `OSError`; the constructor raises `ProcessLookupError` if that process has ended, even if another
    one has its number.
    """

    def __init__(self, pid: int, start_ns: int | None) -> None:
        try:
            self._fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ProcessLookupError(pid) from None
        try:
            self.stat = stat(self.read("stat"))
            if start_ns is not None and abs(self.stat.start_ns - start_ns) > _SLACK_NS:
                raise ProcessLookupError(pid)
        except FileNotFoundError:
            self.close()
            raise ProcessLookupError(pid) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ProcessFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def exists(self) -> bool:
        """Whether the process is still there, if only as a zombie."""
        try:
            return bool(self.read("stat"))
        except OSError:
            return False

    def read(self, name: str, most: int = 1 << 16) -> bytes:
        """The beginning of a file."""
        with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd), "rb") as file:
            return file.read(most)

    def lines(self, name: str, most: int) -> Iterator[bytes]:
        """The lines of a file, up to this many bytes of it."""
        with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd), "rb") as file:
            for line in file:
                most -= len(line)
                if most < 0:
                    return
                yield line

    def numbers(self, name: str, most: int) -> list[int]:
        """The entries of a folder that are numbers, at most this many."""
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            with os.scandir(folder) as entries:
                return [int(entry.name) for entry in islice(entries, most) if entry.name.isdigit()]
        finally:
            os.close(folder)

    def link(self, name: str) -> str:
        """The target of a link, which isn't opened."""
        return text(os.fsencode(os.readlink(name, dir_fd=self._fd)))


def text(raw: bytes) -> str:
    """Decoded text; bytes that are not UTF-8 become escapes."""
    return raw.decode("utf-8", "backslashreplace")


def command_line(raw: bytes) -> str:
    """The arguments, joined with blanks; in /proc each is terminated by NUL."""
    return text(raw.rstrip(b"\0").replace(b"\0", b" "))


def stat(raw: bytes) -> Stat:
    """Parse /proc/PID/stat. A name may contain parentheses and newlines: it ends at the last parenthesis."""
    head, _, rest = raw.rpartition(b")")
    fields = rest.split()
    return Stat(
        comm=text(head.partition(b"(")[2]),
        state=text(fields[0]),
        ppid=int(fields[1]),
        threads=int(fields[17]),
        start_ns=int(fields[19]) * TICK_NS,
        cpu_ns=(int(fields[11]) + int(fields[12])) * TICK_NS,
        kernel=bool(int(fields[6]) & _KTHREAD),
        cpu=int(fields[36]),
    )


def status(raw: bytes) -> dict[str, str]:
    """/proc/PID/status: values by name. If a name repeats, the first line counts."""
    found: dict[str, str] = {}
    for line in raw.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(text(name), text(value.strip()))
    return found


def inner_pids(status: Mapping[str, str]) -> list[int]:
    """The pids of a process, from that in our own pid namespace to that in its own; empty if the kernel doesn't report
    them.
    """
    return [int(number) for number in status.get("NSpid", "").split() if number.isdecimal()]


def kilobytes(value: str | None) -> int | None:
    """Bytes of a value like `123 kB`."""
    number, _, unit = (value or "").partition(" ")
    return int(number) * 1024 if number.isdigit() and unit == "kB" else None


def limits(raw: bytes) -> list[Limit]:
    """/proc/PID/limits, in its order."""
    found = (_LIMIT.match(line) for line in raw.split(b"\n"))
    return [Limit(text(each[1]), _limit(each[2]), _limit(each[3])) for each in found if each]


def _limit(raw: bytes) -> int | None:
    return int(raw) if raw.isdigit() else None


def cgroup(raw: bytes) -> str:
    """The most specific path in /proc/PID/cgroup: that of version 2. If the process is in its root, the deepest path of
    version 1; of several, the one whose hierarchy is older, as in the census. If all are roots, one without
    controllers.
    """
    best: tuple[bool, bool, int, int] | None = None
    found = ""
    for line in raw.split(b"\n"):
        number, _, rest = line.partition(b":")
        controllers, colon, path = rest.partition(b":")
        if not colon or not number.isdigit():
            continue
        depth = len([part for part in path.split(b"/") if part])
        order = depth > 0 and not controllers, depth > 0 and b"name=" not in controllers, depth, -int(number)
        if best is None or order > best:
            best, found = order, text(path)
    return found


def connections(protocol: str, lines: Iterator[bytes], inodes: Container[int]) -> dict[int, Connection]:
    """The sockets with these inodes in a table in /proc/PID/net."""
    found: dict[int, Connection] = {}
    next(lines, None)  # the header
    for line in lines:
        fields = line.split(None, 7) if protocol == "unix" else line.split(None, 10)
        at = 6 if protocol == "unix" else 9
        if len(fields) <= at or not fields[at].isdigit() or int(fields[at]) not in inodes:
            continue
        found[int(fields[at])] = _unix(fields) if protocol == "unix" else _internet(protocol, fields)
    return found


def _unix(fields: list[bytes]) -> Connection:
    state = "listening" if int(fields[3], 16) & _LISTENING else _UNIX_STATES.get(int(fields[5], 16), "")
    return Connection("unix", text(fields[7].rstrip(b"\n")) if len(fields) > 7 else "", "", state)


def _internet(protocol: str, fields: list[bytes]) -> Connection:
    state = int(fields[3], 16)
    named = _TCP_STATES[state] if protocol.startswith("tcp") and state < len(_TCP_STATES) else ""
    remote = endpoint(fields[2])
    return Connection(protocol, endpoint(fields[1]), "" if remote.endswith(":0") else remote, named)


def endpoint(raw: bytes) -> str:
    """`127.0.0.1:80` or `[::1]:80` from hexadecimal words, each in the machine's byte order, and a port."""
    words, _, port = raw.partition(b":")
    address = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    if len(address) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, address)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, address)}]:{int(port, 16)}"
