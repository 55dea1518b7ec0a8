"""Root task: reads the /proc entry of one process, identified by its pid and start time.

Files that could block the reader, because the process can hold the lock of its memory, are read last, after everything
else was sent.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from msgspec.structs import replace

from ebpftop.base.apart import Apart
from ebpftop.frames.messages import Ancestor, FileFacts, LimitFacts, ProcessFacts, SocketFacts, ThreadFacts
from ebpftop.handover import protocol, transport
from ebpftop.kernel import proc
from ebpftop.kernel.proc import ProcessFolder

SECONDS = 5.0  # that the task may take
_PATIENCE = 1.5  # seconds for each part of it
HANGS = "reading it hangs, as the process does"
MOST_ANCESTORS = 64
MOST_THREADS, MOST_FILES, MOST_SOCKETS = 64, 256, 128  # of which more than their number is known
MOST_COUNTED = 1 << 16  # threads, and open files
MOST_LINKS = 4096  # open files that are looked at
LONGEST_COMMAND, LONGEST_PATH = 4096, 1024  # bytes, and characters
LARGEST_PSS = 256 << 20  # bytes that are resident: counting their pages takes some 10 ms, and holds the process up
_TABLE = 16 << 20  # bytes of a table of sockets: some 100,000
Part = tuple[ProcessFacts, bool]
_SOCKET = "socket:["  # how links to sockets begin
LIMITS = frozenset(
    ("open files", "processes", "locked memory", "address space", "core file size", "stack size", "cpu time")
)


def run(channel: socket.socket, request: protocol.RequestProcess) -> None:
    for facts, whole in patiently(reading(request.tgid, request.start_ns), request.tgid, request.start_ns):
        transport.send(channel, protocol.ProcessRead(facts=facts, whole=whole))


def patiently(parts: Iterator[Part], tgid: int, start_ns: int) -> Iterator[Part]:
    """The same parts. If the next part hangs, the last one says so. Of a process in the middle of execve(2) only its
    status can be read.
    """
    apart = Apart(_PATIENCE)
    facts: ProcessFacts | None = None
    while True:
        known: dict[str, Any] = {}
        if not apart.done(partial(_next, parts, known)):
            facts = facts if facts is not None else _by_status(tgid, start_ns)
            yield replace(facts, unread=[*facts.unread, f"the rest: {HANGS}"]), True
            return
        if "error" in known:
            raise known["error"]
        if "part" not in known:
            apart.close()
            return
        facts, _ = known["part"]
        yield known["part"]


def _next(parts: Iterator[Part], known: dict[str, Any]) -> None:
    try:
        known["part"] = next(parts)
    except StopIteration:
        pass
    except Exception as error:
        known["error"] = error


def _by_status(tgid: int, start_ns: int) -> ProcessFacts:
    """The facts that never block. Whether it is still the same process isn't known."""
    facts = ProcessFacts(tgid=tgid, start_ns=start_ns, boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    with contextlib.suppress(OSError), open(f"/proc/{tgid}/status", "rb") as file:
        status = proc.status(file.read(1 << 14))
        facts = replace(facts, comm=status.get("Name", ""), state=status.get("State", "")[:1])
    return facts


def reading(tgid: int, start_ns: int) -> Iterator[Part]:
    """The facts of a process, and whether they are complete: first without the files that could block the reader."""
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    facts = ProcessFacts(tgid=tgid, start_ns=start_ns, boottime_ns=began)
    try:
        with ProcessFolder(tgid, start_ns) as folder:
            reader = _Reader(folder, facts)
            yield reader.quick(), False
            yield reader.slow(), True
    except ProcessLookupError:
        yield replace(facts, gone=True), True


class _Reader:
    """Reads part after part. A part that can't be read is named. If the process ends meanwhile, it is gone."""

    def __init__(self, folder: ProcessFolder, facts: ProcessFacts) -> None:
        self._folder, self._facts = folder, facts

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Raises `ProcessLookupError` if the process has ended."""
        try:
            yield
        except OSError as error:
            if not self._folder.exists():
                raise ProcessLookupError(self._facts.tgid) from error
            if not isinstance(error, ProcessLookupError):  # a zombie has no such thing any more
                self._know(unread=[*self._facts.unread, f"{name}: {error.strerror}"])

    def _know(self, **known: object) -> None:
        self._facts = replace(self._facts, **known)

    def quick(self) -> ProcessFacts:
        folder = self._folder
        stat = folder.stat
        self._know(comm=stat.comm, state=stat.state, cpu_ns=stat.cpu_ns, thread_count=stat.threads)
        with self._part("user and memory"):
            status = proc.status(folder.read("status"))
            real, effective, *_ = (int(number) for number in status["Uid"].split())
            rss, swap = (proc.kilobytes(status.get(name)) for name in ("VmRSS", "VmSwap"))
            self._know(uid=real, euid=effective, rss=rss, swap=swap)
        with self._part("cgroup"):
            self._know(cgroup=proc.cgroup(folder.read("cgroup"))[:LONGEST_PATH])
        with self._part("limits"):
            limits = proc.limits(folder.read("limits"))
            self._know(
                limits=[
                    LimitFacts(name=each.name, soft=each.soft, hard=each.hard) for each in limits if each.name in LIMITS
                ]
            )
        self._know(ancestors=list(ancestors(stat.ppid)))
        with self._part("threads"):
            self._know(threads=list(self._threads()))
        with self._part("open files"):
            self._open_files()
        return self._facts

    def slow(self) -> ProcessFacts:
        folder = self._folder
        with self._part("command line"):
            self._know(command=proc.command_line(folder.read("cmdline", LONGEST_COMMAND)))
        rss = self._facts.rss
        if rss is not None and rss <= LARGEST_PSS:
            with self._part("proportional memory"):
                self._know(pss=proc.kilobytes(proc.status(folder.read("smaps_rollup")).get("Pss")))
        return self._facts

    def _threads(self) -> Iterator[ThreadFacts]:
        for tid in self._folder.numbers("task", MOST_THREADS):
            with _may_be_gone():
                stat = proc.stat(self._folder.read(f"task/{tid}/stat"))
                yield ThreadFacts(tid=tid, comm=stat.comm, state=stat.state, cpu_ns=stat.cpu_ns, waits=self._waits(tid))

    def _waits(self, tid: int) -> str:
        with contextlib.suppress(OSError):  # it takes more than to see the process
            waits = proc.text(self._folder.read(f"task/{tid}/wchan", 128))
            return "" if waits == "0" else waits
        return ""

    def _open_files(self) -> None:
        numbers = self._folder.numbers("fd", MOST_COUNTED)
        files: list[FileFacts] = []
        inodes: dict[int, int] = {}  # of sockets, by descriptor
        for number in numbers[:MOST_LINKS]:
            with _may_be_gone():
                target = self._folder.link(f"fd/{number}")
                if target.startswith(_SOCKET):
                    inodes[number] = int(target.removeprefix(_SOCKET).rstrip("]"))
                else:
                    files.append(FileFacts(fd=number, target=target[:LONGEST_PATH]))
        sockets = list(self._sockets(dict(list(inodes.items())[:MOST_SOCKETS])))
        self._know(
            files=files[:MOST_FILES],
            file_count=len(files) + max(0, len(numbers) - MOST_LINKS),
            sockets=sockets,
            socket_count=len(inodes),
        )

    def _sockets(self, inodes: dict[int, int]) -> Iterator[SocketFacts]:
        found: dict[int, proc.Connection] = {}
        wanted = set(inodes.values())
        for table in (*proc.INTERNET, "unix"):
            if wanted - found.keys():
                with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                    found |= proc.connections(table, self._folder.lines(f"net/{table}", _TABLE), wanted)
        for number, inode in inodes.items():
            known = found.get(inode, proc.Connection("", f"inode {inode}", "", ""))
            yield SocketFacts(
                fd=number,
                protocol=known.protocol,
                local=known.local[:LONGEST_PATH],
                remote=known.remote,
                state=known.state,
            )


@contextlib.contextmanager
def _may_be_gone() -> Iterator[None]:
    """Leave out a thread that has ended, or a file that was closed."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        yield


def ancestors(ppid: int) -> Iterator[Ancestor]:
    """From the parent up to the first process, as far as this /proc shows them."""
    for _ in range(MOST_ANCESTORS):
        if ppid <= 0:
            return
        try:
            with ProcessFolder(ppid, None) as folder:
                stat = folder.stat
        except OSError:
            return
        yield Ancestor(tgid=ppid, start_ns=stat.start_ns, comm=stat.comm)
        ppid = stat.ppid
