"""The census: one identity (tgid, start) per lifetime of a process, kept from fork to exit, so that the rows of ended
processes keep their names.

Births and deaths come from two ring buffers, filled by a program of ours (`census/probe.bpf.c`). Older processes are
read from /proc through psutil, repeatedly until that program is attached. Ended processes are kept, because what they
began may end long after them (a connection, for example). Beyond `MANY_DEAD`, those that ended more than a minute ago
are forgotten; beyond `MOST_DEAD`, the oldest, however long ago they ended. Those that rows still show are kept.
"""

from __future__ import annotations

import itertools
import pwd
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from ebpftop.base.cgroup_path import home
from ebpftop.collector.containers import NOBODYS, Named
from ebpftop.collector.proc_facts import Facts, Reader, arguments, c_text, has_ended, stat, ticks
from ebpftop.frames.messages import FOLDED, UNKNOWN, Process

_EXIT = 2  # `type` of a record of the `lives` ring; others are a birth or a new name
_SLACK_NS = 20_000_000  # /proc counts starts in ticks of 10 ms
_YOUNG_NS = 10_000_000_000  # a program is mostly executed soon after the fork
_FORGET_NS = 60_000_000_000
MANY_DEAD, MOST_DEAD = 8192, 1 << 16
"""Ended processes that are remembered: about 0.6 KiB each."""


class Identity:
    """One identity. `ended` is boottime in ns."""

    __slots__ = (
        "cgroup",
        "comm",
        "command",
        "ended",
        "id",
        "nspid",
        "parent",
        "ppid",
        "programs",
        "shown",
        "start",
        "tgid",
        "user",
    )

    def __init__(self, number: int, tgid: int, start: int) -> None:
        self.id, self.tgid, self.start, self.ppid, self.nspid = number, tgid, start, 0, 0
        self.comm = self.command = self.parent = self.user = self.cgroup = ""
        self.ended: int | None = None
        self.programs = 0  # it was seen to execute: each has another memory
        self.shown = False


class Census:
    """Identities by number and by tgid. cgroup_path: the path of a cgroup, by id and hierarchy. named: the known names
    for a cgroup's path. supervisor: the process whose children belong to ebpftop; 0 for none.
    """

    def __init__(
        self,
        cgroup_path: Callable[[int, int], str],
        supervisor: int = 0,
        named: Callable[[str], Named] = lambda cgroup: NOBODYS,
    ) -> None:
        self._cgroup_path, self._named = cgroup_path, named
        self._supervisor = supervisor
        self._numbers = itertools.count(FOLDED + 1)
        self._identities: dict[int, Identity] = {}
        self._latest: dict[int, Identity] = {}
        self._dead: deque[Identity] = deque()
        self._changed: dict[int, Identity] = {}
        self._users: dict[int, str] = {}
        self._facts = Reader()
        self.attached = False  # whether the census program reports births and deaths
        self.catch_up: Callable[[], None] = lambda: None  # take the records that wait in the ring buffers
        folded = Identity(FOLDED, 0, 0)
        folded.comm, folded.ended = "(ended earlier)", 0
        self._identities[FOLDED] = folded

    # ---------------------------------------------------------------- from the kernel

    def take(self, births_and_deaths: npt.NDArray[Any], execs: npt.NDArray[Any]) -> None:
        """Apply the records of both ring buffers in time order (boottime)."""
        order = np.argsort(np.concatenate((births_and_deaths["time"], execs["time"])), kind="stable")
        for index in order.tolist():
            if index < len(births_and_deaths):
                row = births_and_deaths[index]
                identity = self._known(row)
                if row["type"] == _EXIT and identity.ended is None:
                    identity.ended = int(row["time"])
                    self._dead.append(identity)
            else:
                row = execs[index - len(births_and_deaths)]
                identity = self._known(row)
                identity.command = arguments(row["args"].tobytes()[: int(row["args_len"])])
                identity.programs += 1

    def _known(self, row: Any) -> Identity:
        """The identity of a record, created if it is new, with the facts of the record."""
        tgid, start = int(row["tgid"]), int(row["start"])
        identity = self._latest.get(tgid)
        if identity is None or _is_another(identity, start):
            identity = self._begin(tgid, start)
        identity.start, identity.ppid, identity.user = start, int(row["ppid"]), self.user(int(row["uid"]))
        identity.comm, identity.parent = c_text(row["comm"]), c_text(row["parent_comm"])
        identity.nspid = int(row["nspid"]) or identity.nspid
        cgroup = self._cgroup_path(int(row["cgroup"]), int(row["hierarchy"]))
        if cgroup and cgroup != identity.cgroup:
            identity.cgroup = cgroup
            self._named(cgroup)  # who is new there may end soon, and with it what knows its name
        self._touch(identity)
        return identity

    def _begin(self, tgid: int, start: int) -> Identity:
        if tgid in self._latest:
            self._end(self._latest[tgid])  # it may not have been reported
        identity = Identity(next(self._numbers), tgid, start)
        self._identities[identity.id] = self._latest[tgid] = identity
        return identity

    def _touch(self, identity: Identity) -> None:
        if identity.shown:
            self._changed[identity.id] = identity

    # ---------------------------------------------------------------- from /proc

    def seed(self) -> None:
        """Look up every living process in /proc, so that it has a name if it ends unseen."""
        living = psutil.pids()
        new = [tgid for tgid in living if tgid not in self._latest]
        for tgid, facts in zip(new, self._facts.of(new), strict=True):
            if tgid not in self._latest:  # it may be the parent of one before
                self._met(tgid, facts)
        for tgid in self._latest.keys() - set(living):
            self._end(self._latest[tgid])

    def verify(self) -> None:
        """Check in /proc for unreported changes: which processes have ended, and which have another name or program."""
        young = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - _YOUNG_NS
        for tgid in psutil.pids():
            identity = self._latest.get(tgid)
            found = stat(tgid) if identity is not None and identity.start else None
            if identity is None or found is None:
                continue
            comm, start = found
            if start != ticks(identity.start):
                self._look_up(tgid)
            elif comm != identity.comm or start > young:
                self.refresh([identity.id])
        self.seed()

    def _end(self, identity: Identity) -> None:
        if identity.ended is None and identity.tgid:
            identity.ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self._dead.append(identity)
            self._touch(identity)

    def refresh(self, numbers: Iterable[int]) -> None:
        """Look at these identities in /proc again."""
        for number in numbers:
            identity = self._identities.get(number)
            if identity is not None and identity.ended is None and identity.tgid:
                (facts,) = self._facts.of([identity.tgid])
                if facts is not None and identity.start and facts.start not in (0, ticks(identity.start)):
                    continue  # another process has the pid by now
                self._apply(identity, facts)
                self._touch(identity)

    def _look_up(self, tgid: int) -> Identity:
        (facts,) = self._facts.of([tgid])
        return self._met(tgid, facts)

    def _met(self, tgid: int, facts: Facts | None) -> Identity:
        """An unreported process, with its facts from /proc; None if it is gone."""
        identity = self._begin(tgid, facts.start if facts else 0)
        if facts is None:
            identity.comm = "[idle]" if tgid == 0 else "(ended unseen)"
            self._end(identity)
        else:
            self._apply(identity, facts)
        return identity

    def _apply(self, identity: Identity, facts: Facts | None) -> None:
        if facts is None:
            return
        identity.ppid, identity.user, identity.comm = facts.ppid, self.user(facts.uid), facts.comm
        identity.command, identity.nspid, identity.cgroup = facts.command, facts.nspid, facts.cgroup
        self._named(identity.cgroup)
        parent = self._latest.get(identity.ppid)
        if parent is None and identity.ppid:
            parent = self._look_up(identity.ppid)
        identity.parent = parent.comm if parent else ""

    def user(self, uid: int) -> str:
        """The name of a user, or the number if there is none."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]

    # ---------------------------------------------------------------- for the collector

    def numbers(self, tgids: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
        """The current or last identity of each tgid. Those seen for the first time are looked up in /proc.

        The value that probes write for no process (UNKNOWN_PROCESS of ebpftop.h) stays `UNKNOWN`.
        """
        unique, inverse = np.unique(tgids, return_inverse=True)
        found = np.empty(len(unique), "<u4")
        for at, tgid in enumerate(unique.tolist()):
            if tgid == UNKNOWN:
                found[at] = UNKNOWN
                continue
            identity = self._latest.get(tgid) or self._look_up(tgid)
            if not identity.shown:
                identity.shown = True
                self._changed[identity.id] = identity
            found[at] = identity.id
        return found[inverse]

    def alive(self, number: int) -> Identity | None:
        """The identity with this number, if its process is alive."""
        identity = self._identities.get(number)
        return None if identity is None or not identity.tgid or self._is_dead(identity) else identity

    def known(self, number: int) -> Identity | None:
        """The identity with this number, even if its process has ended."""
        found = self._identities.get(number)
        return found if found is not None and found.tgid else None

    def living(self, tgid: int) -> Identity | None:
        """The identity of the process that has this pid now."""
        identity = self._latest.get(tgid)
        return None if identity is None or self._is_dead(identity) else identity

    def ended(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Which of these identities are dead."""
        unique, inverse = np.unique(numbers, return_inverse=True)
        dead = np.fromiter(
            (n != UNKNOWN and self._is_dead(self._identities[n]) for n in unique.tolist()), bool, len(unique)
        )
        return dead[inverse]

    def _is_dead(self, identity: Identity) -> bool:
        if identity.ended is None and not self.attached and identity.tgid and has_ended(identity.tgid, identity.start):
            self._end(identity)
        return identity.ended is not None

    def changes(self) -> list[Process]:
        """Displayed identities that are new or changed since the last call."""
        changed, self._changed = self._changed, {}
        return [
            _process(identity, self._is_own(identity), self._named(identity.cgroup)) for identity in changed.values()
        ]

    def knows_cgroup(self, path: str) -> bool:
        """Whether a process is in this cgroup, or below it."""
        below = f"{path.rstrip('/')}/"
        return any(f"{identity.cgroup}/".startswith(below) for identity in self._identities.values())

    def renamed(self, containers: set[str]) -> None:
        """Containers with these ids have new names."""
        for identity in self._identities.values() if containers else ():
            if home(identity.cgroup).container in containers:
                self._touch(identity)

    def _is_own(self, identity: Identity) -> bool:
        return self._supervisor > 0 and self._supervisor in (identity.tgid, identity.ppid)

    def folded(self) -> None:
        """From now on rows are shown under the identity `FOLDED`."""
        identity = self._identities[FOLDED]
        if not identity.shown:
            identity.shown = True
            self._changed[FOLDED] = identity

    def __contains__(self, number: object) -> bool:
        """Whether an identity is known and not forgotten yet."""
        return number in self._identities

    def forget(self, shown: Callable[[], set[int]]) -> None:
        """If there are many, drop identities that ended a while ago, and the oldest if there are too many, except those
        in `shown()`, which is called only then.
        """
        limit = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - _FORGET_NS
        kept: list[Identity] = []
        count = len(self._dead)
        if count <= MANY_DEAD:
            return
        keep = shown()
        while count > MOST_DEAD or (count > MANY_DEAD and (self._dead[0].ended or 0) < limit):
            count -= 1
            identity = self._dead.popleft()
            if identity.id in keep:
                kept.append(identity)
                continue
            self._identities.pop(identity.id, None)
            if self._latest.get(identity.tgid) is identity:
                del self._latest[identity.tgid]
        self._dead.extendleft(reversed(kept))


def _is_another(identity: Identity, start: int) -> bool:
    """Whether a process with this start is a different one. If the identity had ended when it was first seen, only its
    end is known.
    """
    if not identity.start:
        return identity.ended is not None and start > identity.ended
    return abs(identity.start - start) > _SLACK_NS


def _process(identity: Identity, own: bool, named: Named) -> Process:
    return Process(
        id=identity.id,
        tgid=identity.tgid,
        start_ns=identity.start,
        ppid=identity.ppid,
        parent=identity.parent,
        comm=identity.comm,
        command=identity.command,
        user=identity.user,
        nspid=identity.nspid if identity.nspid != identity.tgid else 0,
        cgroup=identity.cgroup,
        container=named.container,
        pod=named.pod,
        image=named.image,
        ended_ns=identity.ended,
        own=own,
    )
