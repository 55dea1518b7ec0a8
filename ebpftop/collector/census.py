"""Who is who: one identity a process life, (tgid, start), kept from fork to exit, so that rows of the dead keep their
names.

Births and deaths come from two ring buffers that a program of ours fills (`census/probe.bpf.c`). Who lived before it
was attached is asked of /proc, once, through psutil. Identities that nobody was shown are forgotten a while after their
death.
"""

from __future__ import annotations

import itertools
import os
import pwd
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from ebpftop.frames.messages import FOLDED, UNKNOWN, Process

_EXIT = 2  # `type` of a record of the `lives` ring; others tell a birth or a new name
_SLACK_NS = 20_000_000  # /proc tells starts in ticks of 10 ms
_FORGET_NS = 60_000_000_000
_COMMAND = 4096  # bytes of a command line


class Life:
    """One identity. `ended` is boottime in ns."""

    __slots__ = (
        "cgroup",
        "comm",
        "command",
        "ended",
        "id",
        "parent",
        "ppid",
        "programs",
        "shown",
        "start",
        "tgid",
        "user",
    )

    def __init__(self, number: int, tgid: int, start: int) -> None:
        self.id, self.tgid, self.start, self.ppid = number, tgid, start, 0
        self.comm = self.command = self.parent = self.user = self.cgroup = ""
        self.ended: int | None = None
        self.programs = 0  # it was seen to start, and so to have begun anew with another memory
        self.shown = False


class Census:
    """Identities by number and by tgid."""

    def __init__(self, cgroup_path: Callable[[int], str]) -> None:
        self._cgroup_path = cgroup_path
        self._numbers = itertools.count(FOLDED + 1)
        self._lives: dict[int, Life] = {}
        self._latest: dict[int, Life] = {}
        self._dead: deque[Life] = deque()
        self._changed: dict[int, Life] = {}
        self._users: dict[int, str] = {}
        self.told = False  # whether births and deaths are being told by the kernel
        self.catch_up: Callable[[], None] = lambda: None  # have what the kernel told since taken
        folded = Life(FOLDED, 0, 0)
        folded.comm, folded.ended = "(ended earlier)", 0
        self._lives[FOLDED] = folded

    # ---------------------------------------------------------------- what the kernel tells

    def take(self, lives: npt.NDArray[Any], execs: npt.NDArray[Any]) -> None:
        """Apply the records of both ring buffers in the order of their times (boottime)."""
        order = np.argsort(np.concatenate((lives["time"], execs["time"])), kind="stable")
        for index in order.tolist():
            if index < len(lives):
                row = lives[index]
                life = self._known(row)
                if row["type"] == _EXIT and life.ended is None:
                    life.ended = int(row["time"])
                    self._dead.append(life)
            else:
                row = execs[index - len(lives)]
                life = self._known(row)
                life.command = arguments(row["args"].tobytes()[: int(row["args_len"])])
                life.programs += 1

    def _known(self, row: Any) -> Life:
        """The life a record speaks of, made if it is new, with what the record says of it."""
        tgid, start = int(row["tgid"]), int(row["start"])
        life = self._latest.get(tgid)
        if life is None or (life.start and abs(life.start - start) > _SLACK_NS):
            life = self._begin(tgid, start)
        life.start, life.ppid, life.user = start, int(row["ppid"]), self._user(int(row["uid"]))
        life.comm, life.parent = text(row["comm"]), text(row["parent_comm"])
        life.cgroup = self._cgroup_path(int(row["cgroup"])) or life.cgroup
        self._touch(life)
        return life

    def _begin(self, tgid: int, start: int) -> Life:
        life = Life(next(self._numbers), tgid, start)
        self._lives[life.id] = self._latest[tgid] = life
        return life

    def _touch(self, life: Life) -> None:
        if life.shown:
            self._changed[life.id] = life

    # ---------------------------------------------------------------- what /proc tells

    def seed(self) -> None:
        """Ask /proc of everything that lives, so that it has a name when it dies unseen."""
        for tgid in psutil.pids():
            if tgid not in self._latest:
                self._ask(tgid)

    def refresh(self, numbers: Iterable[int]) -> None:
        """Look at these identities in /proc again."""
        for number in numbers:
            life = self._lives.get(number)
            if life is not None and life.ended is None and life.tgid:
                self._read_proc(life)
                self._touch(life)

    def _ask(self, tgid: int) -> Life:
        start = _start(tgid)
        if start is None:
            life = self._begin(tgid, 0)
            life.comm = "[idle]" if tgid == 0 else "(ended unseen)"
            life.ended = None if tgid == 0 else time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            return life
        life = self._begin(tgid, start)
        self._read_proc(life)
        return life

    def _read_proc(self, life: Life) -> None:
        try:
            process = psutil.Process(life.tgid)
            with process.oneshot():
                life.ppid = process.ppid()
                life.user = self._user(process.uids().effective)
            life.comm = arguments(_read(life.tgid, "comm").removesuffix(b"\n"))
            life.command = arguments(_read(life.tgid, "cmdline"))
            life.cgroup = _own_cgroup(life.tgid)
        except (psutil.Error, OSError):
            return
        parent = self._latest.get(life.ppid)
        if parent is None and life.ppid:
            parent = self._ask(life.ppid)
        life.parent = parent.comm if parent else ""

    def _user(self, uid: int) -> str:
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]

    # ---------------------------------------------------------------- what the collector asks

    def numbers(self, tgids: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
        """The identity each tgid has now, or had last; those first met here are asked of /proc.

        What probes write where no process is known (UNKNOWN_PROCESS of ebpftop.h) stays `UNKNOWN`.
        """
        unique, inverse = np.unique(tgids, return_inverse=True)
        found = np.empty(len(unique), "<u4")
        for at, tgid in enumerate(unique.tolist()):
            if tgid == UNKNOWN:
                found[at] = UNKNOWN
                continue
            life = self._latest.get(tgid) or self._ask(tgid)
            if not life.shown:
                life.shown = True
                self._changed[life.id] = life
            found[at] = life.id
        return found[inverse]

    def alive(self, number: int) -> Life | None:
        """The identity of this number, while its process lives."""
        life = self._lives.get(number)
        return None if life is None or not life.tgid or self._is_dead(life) else life

    def ended(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Which of these identities are dead."""
        unique, inverse = np.unique(numbers, return_inverse=True)
        dead = np.fromiter((n != UNKNOWN and self._is_dead(self._lives[n]) for n in unique.tolist()), bool, len(unique))
        return dead[inverse]

    def _is_dead(self, life: Life) -> bool:
        if life.ended is None and not self.told and life.tgid and _start(life.tgid) != life.start:
            life.ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self._dead.append(life)
            self._touch(life)
        return life.ended is not None

    def changes(self) -> list[Process]:
        """Identities shown and new or changed since the last call."""
        changed, self._changed = self._changed, {}
        return [_process(life) for life in changed.values()]

    def folded(self) -> None:
        """Rows are shown under the identity `FOLDED` from now on."""
        life = self._lives[FOLDED]
        if not life.shown:
            life.shown = True
            self._changed[FOLDED] = life

    def forget(self, keep: set[int]) -> None:
        """Drop identities that died a while ago, but those in `keep`."""
        limit = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - _FORGET_NS
        kept: list[Life] = []
        while self._dead and (self._dead[0].ended or 0) < limit:
            life = self._dead.popleft()
            if life.id in keep:
                kept.append(life)
                continue
            self._lives.pop(life.id, None)
            if self._latest.get(life.tgid) is life:
                del self._latest[life.tgid]
        self._dead.extendleft(reversed(kept))


def _process(life: Life) -> Process:
    return Process(
        id=life.id,
        tgid=life.tgid,
        start_ns=life.start,
        ppid=life.ppid,
        parent=life.parent,
        comm=life.comm,
        command=life.command,
        user=life.user,
        cgroup=life.cgroup,
        ended_ns=life.ended,
    )


def text(raw: bytes) -> str:
    """A kernel's char array up to its NUL; what is not UTF-8 stays visible as escapes."""
    return bytes(raw).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def arguments(raw: bytes) -> str:
    """A command line as the kernel keeps it: arguments that end in NUL."""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")


def _start(tgid: int) -> int | None:
    """Start of a process in ns since boot, from field 22 of /proc/PID/stat, see proc(5); None where it is gone."""
    try:
        with open(f"/proc/{tgid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[19]) * _TICK_NS


_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _read(tgid: int, name: str) -> bytes:
    """The beginning of a file of a process. Raises `OSError`."""
    with open(f"/proc/{tgid}/{name}", "rb") as file:
        return file.read(_COMMAND)


def _own_cgroup(tgid: int) -> str:
    """Path in the cgroup2 hierarchy, from the line `0::PATH`."""
    for line in _read(tgid, "cgroup").split(b"\n"):
        if line.startswith(b"0::"):
            return line[3:].decode("utf-8", "backslashreplace")
    return ""
