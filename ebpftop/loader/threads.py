"""Root task: reads the state of every thread of the machine, and what waiting threads wait for.

For a thread it reads stat, status, sched, wchan, stack, syscall and one link of its open files, and for its network
namespace the tables of sockets. It never reads cmdline, maps, exe or mem, which hang if a process holds the lock of its
memory. stat, wchan, stack and syscall hang, too, if a process hangs in the middle of execve(2): such a process is
abandoned.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from ebpftop.base import syscall_arguments, syscalls
from ebpftop.base.apart import Apart
from ebpftop.frames.messages import ThreadPlace, Threads
from ebpftop.handover import protocol, transport
from ebpftop.kernel import proc, waiting
from ebpftop.kernel.proc import ProcessFolder

SECONDS = 10.0  # that the task may take
MOST_THREADS = 1 << 14
_READING = 3.0  # seconds after which no more threads are looked at closely
_PATIENCE = 1.0  # seconds for one of them
_MOST_LEFT = 4  # threads whose reading hangs
_MOST_SOCKETS, _MOST_NAMESPACES = 1024, 8
_TABLE = 16 << 20  # bytes of a table of sockets: some 100,000
_LONGEST = 1024  # characters of a target
_MOST_UNREAD = 32
HELD = "unknown: reading it hangs"  # the target of a process in the middle of execve(2)
_SOCKET = "socket:["  # how links to sockets begin
_STUCK = "DTt"  # states that are looked at first
_RUNNABLE = "R"  # it is nowhere but on its CPU, whose time it tells
_NOWHERE = "ZX"  # states without a place
_OWN_AFFAIRS = "SI"  # states in which the kernel's own threads spend their lives


def run(channel: socket.socket) -> None:
    try:
        read = reading()
    except OSError as error:
        read = Threads(monotonic_ns=0, boottime_ns=0, error=f"threads can't be listed: {error.strerror}")
    transport.send(channel, protocol.ThreadsRead(threads=read))


def reading(pid: int | None = None) -> Threads:
    """All threads now, or those of one process. Raises `OSError`, `ProcessLookupError` if it has ended."""
    monotonic, boottime = time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    reader = _Reader()
    places = reader.read(*reader.listed(pid))
    return Threads(
        monotonic_ns=monotonic,
        boottime_ns=boottime,
        threads=places,
        stacks=[list(functions) for functions in reader.stacks],
        count=max(reader.count, len(places)),
        took_ns=time.monotonic_ns() - monotonic,
        unread=reader.unread[:_MOST_UNREAD],
    )


def _threads(tgid: int, folder: ProcessFolder, most: int) -> Iterator[ThreadPlace]:
    for tid in folder.numbers("task", most):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended
            stat = proc.stat(folder.read(f"task/{tid}/stat"))
            yield ThreadPlace(
                tid=tid,
                tgid=tgid,
                start_ns=stat.start_ns,
                comm=stat.comm,
                process=folder.stat.comm,
                state=stat.state,
                cpu_ns=stat.cpu_ns,
                kernel=stat.kernel,
            )


class _Reader:
    """What threads wait for. stacks: by number. unread: lines for what could not be read."""

    def __init__(self) -> None:
        self.stacks: dict[tuple[str, ...], int] = {}
        self.unread: list[str] = []
        self.count = 0  # threads that there are
        self._until = time.monotonic() + _READING
        self._apart = Apart(_PATIENCE)
        self._sockets: dict[int, set[int]] = {}  # inodes by process
        self._late = 0  # threads that weren't looked at
        self._ran: dict[int, tuple[int, int]] = {}  # thread → a CPU, and when it ran there last, by that CPU's clock

    def listed(self, pid: int | None) -> tuple[list[ThreadPlace], list[ThreadPlace]]:
        """Threads with names and states; separately, processes of which no more can be read."""
        found: list[ThreadPlace] = []
        held: list[ThreadPlace] = []
        pids = [pid] if pid is not None else sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        for each in pids:
            known: dict[str, Any] = {"threads": []}
            if self._apart.left == _MOST_LEFT:
                self.unread.append(f"processes from {each} on: reading too many of those before hangs")
                break
            if not self._apart.done(partial(_list, each, MOST_THREADS - len(found), known)):
                self.unread.append(f"what {known.get('comm', '')} ({each}) waits for: reading it hangs")
                if "comm" in known:
                    held.append(_held(each, known))
                continue
            if pid is not None and "error" in known:
                raise known["error"]
            self.count += known.get("count", 0)
            found += known["threads"]
        return found, held

    def read(self, places: list[ThreadPlace], held: list[ThreadPlace]) -> list[ThreadPlace]:
        """The same with what they wait for, possibly stuck threads first."""
        ordered = sorted(places, key=lambda each: (each.state not in _STUCK, each.tgid, each.tid))
        read = [place for tgid, some in groupby(ordered, lambda each: each.tgid) for place in self._of(tgid, some)]
        if self._late:
            self.unread.append(f"what {self._late:,} threads wait for: it took longer than {_READING:.0f} s")
        found = [*held, *self._with_sockets(self._with_still(read))]
        self._apart.close()
        return found

    def _folder(self, tgid: int) -> ProcessFolder | None:
        """None if the process has ended, or hangs since it was listed, or too many others hang to try it."""
        opened: list[ProcessFolder] = []

        def open_it() -> None:
            with contextlib.suppress(OSError):
                opened.append(ProcessFolder(tgid, None))

        if self._apart.left < _MOST_LEFT and not self._apart.done(open_it):
            self.unread.append(f"what process {tgid} waits for: reading it hangs")
            return None
        return opened[0] if opened else None

    def _of(self, tgid: int, places: Iterable[ThreadPlace]) -> Iterator[ThreadPlace]:
        """Of some threads of one process."""
        tried = self._apart.left < _MOST_LEFT
        if (folder := self._folder(tgid)) is None:
            left = list(places) if os.path.exists(f"/proc/{tgid}") else []
            self._late += 0 if tried else len(left)
            yield from left
            return
        with folder:
            hangs = False
            for place in places:
                if place.state in _NOWHERE or hangs or (place.kernel and place.state in _OWN_AFFAIRS):
                    yield place
                elif time.monotonic() > self._until or self._apart.left == _MOST_LEFT:
                    self._late += 1
                    yield place
                else:
                    known: dict[str, Any] = {}
                    hangs = not self._apart.done(partial(_look, folder, place, known))
                    if hangs:
                        known = dict(known)
                        self.unread.append(f"system call and stack of {place.process} ({tgid}): reading them hangs")
                    yield self._with(place, known)

    def _with(self, place: ThreadPlace, known: dict[str, Any]) -> ThreadPlace:
        functions = tuple(known.pop("functions", ()))
        if (ran := known.pop("ran", None)) is not None:
            self._ran[place.tid] = ran
        if functions:
            known["stack"] = self.stacks.setdefault(functions, len(self.stacks))
        target = known.get("target", "")
        if target.startswith(_SOCKET) and len(self._sockets.setdefault(place.tgid, set())) < _MOST_SOCKETS:
            self._sockets[place.tgid].add(_inode(target))
        return replace(place, **known)

    def _with_still(self, places: list[ThreadPlace]) -> list[ThreadPlace]:
        """A lower bound for how long each thread has not run: until another one ran on its CPU."""
        newest: dict[int, int] = {}
        for cpu, at in self._ran.values():
            newest[cpu] = max(at, newest.get(cpu, 0))
        still = {tid: newest[cpu] - at for tid, (cpu, at) in self._ran.items()}
        return [
            replace(place, still_ns=still[place.tid]) if place.state != _RUNNABLE and still.get(place.tid) else place
            for place in places
        ]

    def _with_sockets(self, places: list[ThreadPlace]) -> Iterator[ThreadPlace]:
        """Sockets with their addresses, if a table has them."""
        found = self._connections()
        for place in places:
            known = found.get((place.tgid, place.target))
            yield place if known is None else replace(place, target=known)

    def _connections(self) -> dict[tuple[int, str], str]:
        """(process, link) → addresses. A table belongs to a network namespace, and is read once for
        all its processes.
        """
        spaces: dict[str, list[int]] = {}
        for tgid in self._sockets:
            if (folder := self._folder(tgid)) is None:
                continue
            with contextlib.suppress(OSError), folder:
                spaces.setdefault(folder.link("ns/net"), []).append(tgid)
        found: dict[tuple[int, str], str] = {}
        for tgids in list(spaces.values())[:_MOST_NAMESPACES]:
            inodes = set[int]().union(*(self._sockets[tgid] for tgid in tgids))
            if (folder := self._folder(tgids[0])) is None:
                continue
            with contextlib.suppress(OSError), folder:
                known = _tables(folder, inodes)
                found |= {
                    (tgid, f"{_SOCKET}{inode}]"): _address(known[inode])
                    for tgid in tgids
                    for inode in self._sockets[tgid] & known.keys()
                }
        return found


def _list(pid: int, most: int, known: dict[str, Any]) -> None:
    """Fill `known`; status is read first, because it never hangs."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            status = proc.status(file.read(1 << 14))
        known["comm"], known["state"] = status.get("Name", ""), status.get("State", "?")[:1]
        known["switches"] = waiting.switches(status)
        with ProcessFolder(pid, None) as folder:
            known["threads"] = list(_threads(pid, folder, most))
            known["count"] = folder.stat.threads
    except OSError as error:
        known["error"] = error


def _held(pid: int, known: dict[str, Any]) -> ThreadPlace:
    """A process of which only the status can be read."""
    comm = known["comm"]
    return ThreadPlace(
        tid=pid,
        tgid=pid,
        start_ns=0,
        comm=comm,
        process=comm,
        state=known.get("state", "?"),
        cpu_ns=0,
        switches=known.get("switches"),
        target=HELD,
    )


def _look(folder: ProcessFolder, place: ThreadPlace, known: dict[str, Any]) -> None:
    """Fill `known`, reading files that could hang last. Threads that end meanwhile, and files that need more rights,
    are left out.
    """
    task = f"task/{place.tid}"
    with contextlib.suppress(OSError):
        switches = waiting.switches(proc.status(folder.read(f"{task}/status")))
        if place.state != _RUNNABLE:
            known["switches"] = switches
        cpu = proc.stat(folder.read(f"{task}/stat")).cpu
        ran = waiting.ran(folder.read(f"{task}/sched", 1 << 12))
        if ran is not None and ran.switches == switches:  # it has not moved on meanwhile
            known["ran"] = cpu, ran.at_ns
    if place.state == _RUNNABLE:
        return
    with contextlib.suppress(OSError):
        waits = proc.text(folder.read(f"{task}/wchan", 128))
        known["waits"] = "" if waits == "0" else waits
    with contextlib.suppress(OSError):
        call = None if place.kernel else waiting.call(folder.read(f"{task}/syscall", 256))
        if call is not None:
            known["call"], known["arguments"] = call.number, list(call.arguments)
            name = syscalls.NAMES.get(call.number, "")
            if (descriptor := syscall_arguments.descriptor(name, call.arguments)) is not None:
                known["target"] = folder.link(f"{task}/fd/{descriptor}")[:_LONGEST]
    with contextlib.suppress(OSError):
        known["functions"] = waiting.stack(folder.read(f"{task}/stack", 1 << 14))


def _inode(target: str) -> int:
    number = target.removeprefix(_SOCKET).rstrip("]")
    return int(number) if number.isdecimal() else 0


def _tables(folder: ProcessFolder, inodes: set[int]) -> dict[int, proc.Connection]:
    found: dict[int, proc.Connection] = {}
    for table in (*proc.INTERNET, "unix"):
        if inodes - found.keys():
            with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                found |= proc.connections(table, folder.lines(f"net/{table}", _TABLE), inodes)
    return found


def _address(known: proc.Connection) -> str:
    """`tcp 127.0.0.1:5432 → 127.0.0.1:40312`, `tcp 0.0.0.0:80 listening`."""
    words = [known.protocol, known.local, f"→ {known.remote}" if known.remote else known.state]
    return " ".join(word for word in words if word)[:_LONGEST]
