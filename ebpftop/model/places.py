"""Groups threads into places: those that wait for the same thing in the same way are one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ebpftop.base import syscall_arguments, syscalls
from ebpftop.frames.messages import OpenWait, ThreadPlace, Threads
from ebpftop.stats import formatting

_LONG = 1_000_000_000  # ns
_MOST_THREADS = 1 << 22  # that a Linux can have
COMPAT = 512  # see `ThreadPlace`
_ANONYMOUS = "anon_inode:"  # such names are those of kinds of files: they don't tell one from another
_FUTEX = ("futex", "futex_wait", "futex_waitv")
_IDLE_CALLS = (
    *("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "nanosleep"),
    *("clock_nanosleep", "wait4", "waitid", "pause", "rt_sigsuspend", "rt_sigtimedwait", "accept", "accept4"),
    *("restart_syscall", "io_uring_enter"),
)

STUCK, STOPPED, TRACED, RUNNING, RUNNABLE = "uninterruptible", "stopped", "traced", "on CPU", "runnable"
SLEEPING, IDLE, ENDED = "sleeping", "idle", "ended"
RANKS = {STUCK: 7, STOPPED: 6, TRACED: 5, RUNNABLE: 4, RUNNING: 3, SLEEPING: 2, ENDED: 1, IDLE: 0}
_STATES = {"D": STUCK, "T": STOPPED, "t": TRACED, "R": RUNNABLE, "S": SLEEPING, "I": IDLE, "Z": ENDED, "X": ENDED}


class Seen(NamedTuple):
    """A thread at its place. age_ns: it has not run for at least this long; None if unknown. waits: what attached
    probes know of its wait; then age_ns is that of the wait. waker: the thread that last woke it, if a probe knows and
    that thread is alive.
    """

    thread: ThreadPlace
    age_ns: int | None
    waits: Sequence[OpenWait] = ()
    waker: ThreadPlace | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Threads that wait for the same thing, or that are fully described by their state. Text is hostile.

    number: the same from one reading to the next. call: the name of the system call. target: what it waits for. holder:
    the thread that held it when most of them began to wait, if a probe knows. stacks: the kernel's functions, innermost
    first, the most frequent stack first, each with its number of threads.
    """

    number: int
    state: str
    call: str
    target: str
    seen: Sequence[Seen]
    stacks: Sequence[tuple[Sequence[str], int]]
    holder: ThreadPlace | None = None

    @property
    def waits(self) -> str:
        """The kernel's function in which most of them wait."""
        functions = Counter(each.thread.waits for each in self.seen if each.thread.waits)
        return functions.most_common(1)[0][0] if functions else ""

    @property
    def age_ns(self) -> int | None:
        """The age of the thread that has not run for the longest time."""
        return self.oldest.age_ns if self.oldest is not None else None

    @property
    def oldest(self) -> Seen | None:
        """That thread, if the age of one is known."""
        return max(
            (each for each in self.seen if each.age_ns is not None), key=lambda each: each.age_ns or 0, default=None
        )

    @property
    def since(self) -> str:
        """For how long: `≥ 12 s` if only a lower bound is known."""
        return age_of(self.oldest) if self.oldest is not None else ""

    @property
    def owners(self) -> list[tuple[int, str, int]]:
        """(tgid, name, threads) of the processes, those with the most threads first."""
        counts = Counter((each.thread.tgid, each.thread.process) for each in self.seen)
        return [(tgid, name, count) for (tgid, name), count in counts.most_common()]

    @property
    def wakers(self) -> list[tuple[ThreadPlace, int]]:
        """The threads that last woke some of them, and how many, the most frequent first."""
        found = {each.waker.tid: each.waker for each in self.seen if each.waker is not None}
        counts = Counter(each.waker.tid for each in self.seen if each.waker is not None)
        return [(found[tid], count) for tid, count in counts.most_common()]

    @property
    def whose(self) -> str:
        """`postgres (4121)`, `postgres (4121) and 11 more`."""
        (tgid, name, _), *others = self.owners
        return f"{name} ({tgid})" + (f" and {len(others)} more" if others else "")

    @property
    def rank(self) -> int:
        """Sort key: stuck threads first, then long waits for another thread, running threads, waits for something of
        their own, and idle ones last; then by number of threads.
        """
        if self.holder is not None and (self.age_ns or 0) >= _LONG:
            return (RANKS[RUNNABLE] * 2 + 1) * _MOST_THREADS + len(self.seen)
        idle = self.state == SLEEPING and (self.call in _IDLE_CALLS or not (self.call or self.target))
        return (RANKS[self.state] * 2 - idle) * _MOST_THREADS + len(self.seen)


def age_of(seen: Seen) -> str:
    """How long a thread has waited, or `≥` and how long it has not run at least; empty if unknown."""
    if seen.age_ns is None:
        return ""
    return ("" if seen.waits else "≥ ") + formatting.duration(seen.age_ns)


class Places:
    """Turns readings into places, and remembers since when each thread has not run."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], tuple[int, int]] = {}  # thread → its switches, and since when it has these
        self._cpu: dict[tuple[int, int], int] = {}
        self._living: dict[int, ThreadPlace] = {}
        self._numbers: dict[Hashable, int] = {}

    def take(self, read: Threads) -> list[Place]:
        """The places, those that may be stuck first."""
        groups: dict[Hashable, list[Seen]] = {}
        waits = _waits(read)
        self._living = {each.tid: each for each in read.threads}
        for thread in read.threads:
            state = self._state(thread)
            seen = Seen(thread, self._age(thread, read.boottime_ns))
            if (begun := waits.get(thread.tid)) and state in (STUCK, SLEEPING):
                age = read.monotonic_ns - min(each.since_ns for each in begun)
                seen = Seen(thread, age, begun, self._waker(begun, read))
            groups.setdefault(_key(thread, state), []).append(seen)
        known = {(each.tid, each.start_ns) for each in read.threads}
        self._since = {name: since for name, since in self._since.items() if name in known}
        self._cpu = {(each.tid, each.start_ns): each.cpu_ns for each in read.threads}
        following = max(self._numbers.values(), default=0) + 1
        new = (key for key in groups if key not in self._numbers)
        self._numbers |= {key: number for number, key in enumerate(new, following)}
        self._numbers = {key: self._numbers[key] for key in groups}
        places = [self._place(key, seen, read) for key, seen in groups.items()]
        return sorted(places, key=lambda each: (-each.rank, each.number))

    def _state(self, thread: ThreadPlace) -> str:
        """Whether a runnable thread really runs is known from the CPU time it used since the last reading."""
        state = _STATES.get(thread.state, thread.state)
        if state == RUNNABLE:
            before = self._cpu.get((thread.tid, thread.start_ns))
            return RUNNING if before is not None and thread.cpu_ns > before else RUNNABLE
        return IDLE if thread.kernel and state == SLEEPING else state if state in RANKS else SLEEPING

    def _age(self, thread: ThreadPlace, now: int) -> int | None:
        name = (thread.tid, thread.start_ns)
        if thread.switches is None:
            self._since.pop(name, None)
            return None
        switches, since = self._since.get(name, (None, now))
        if switches != thread.switches:
            since = now
        self._since[name] = thread.switches, since
        return max(now - since, thread.still_ns) or None

    def _place(self, key: Hashable, seen: list[Seen], read: Threads) -> Place:
        counts = Counter(each.thread.stack for each in seen if each.thread.stack is not None)
        first = seen[0].thread
        state = key[0] if isinstance(key, tuple) else SLEEPING
        return Place(
            number=self._numbers[key],
            state=str(state),
            call=call_of(first) if state in (STUCK, SLEEPING) else "",
            target=_target(first) if state in (STUCK, SLEEPING) else "",
            seen=sorted(seen, key=lambda each: -(each.age_ns or 0)),
            stacks=[
                (read.stacks[number], count) for number, count in counts.most_common() if number < len(read.stacks)
            ],
            holder=self._holder(seen),
        )

    def _waker(self, begun: Sequence[OpenWait], read: Threads) -> ThreadPlace | None:
        """The waker; None if it has ended, because a later thread may have its number."""
        last = max(begun, key=lambda each: each.woken_ns)
        waker = self._living.get(last.waker)
        if waker is None or waker.start_ns > last.woken_ns + read.boottime_ns - read.monotonic_ns:
            return None
        return waker

    def _holder(self, seen: list[Seen]) -> ThreadPlace | None:
        """The holder, which comes from the program's memory, is believed only if it is a thread of the same process and
        not one of those waiting.
        """
        waiting = {each.thread.tid for each in seen}
        counts = Counter(
            wait.holder
            for each in seen
            for wait in each.waits
            if (holder := self._living.get(wait.holder)) is not None
            and holder.tgid == each.thread.tgid
            and holder.tid not in waiting
        )
        return self._living[counts.most_common(1)[0][0]] if counts else None


def _waits(read: Threads) -> dict[int, list[OpenWait]]:
    """The waits by thread that began before the thread was read and after the thread began: a reused number may have an
    old one.
    """
    starts = {each.tid: each.start_ns for each in read.threads}
    asleep = read.boottime_ns - read.monotonic_ns
    found: dict[int, list[OpenWait]] = {}
    for wait in read.waits:
        if wait.tid in starts and starts[wait.tid] <= wait.since_ns + asleep and wait.since_ns <= read.monotonic_ns:
            found.setdefault(wait.tid, []).append(wait)
    return found


def call_of(thread: ThreadPlace) -> str:
    """The name of its system call; empty if it is in none."""
    if thread.call is None:
        return ""
    if thread.call >= COMPAT:
        return f"{thread.call - COMPAT} (32-bit)"
    return syscalls.NAMES.get(thread.call, str(thread.call))


def written(thread: ThreadPlace) -> str:
    """Its system call with the arguments; empty if it is in none."""
    return syscall_arguments.written(call_of(thread), thread.arguments) if thread.call is not None else ""


def _target(thread: ThreadPlace) -> str:
    if thread.target.startswith(_ANONYMOUS):
        return f"{thread.target}, fd {syscall_arguments.descriptor(call_of(thread), thread.arguments)}"
    if thread.target:
        return thread.target
    if call_of(thread) in _FUTEX and thread.arguments:
        return f"futex {thread.arguments[0]:#x}"
    return ""


def _key(thread: ThreadPlace, state: str) -> tuple[Hashable, ...]:
    """The key of a place: the file; for a nameless file its number in processes of one program, which have often
    inherited it; otherwise the process's lock, or else the kernel's function.
    """
    call = call_of(thread)
    if state in (IDLE, ENDED):
        return (state,)
    if state not in (STUCK, SLEEPING):
        return state, thread.tgid
    if thread.target and not thread.target.startswith(_ANONYMOUS):
        return state, call, thread.target
    if thread.target:
        return state, call, _target(thread), thread.waits, thread.process
    if call in _FUTEX and thread.arguments:
        return state, call, thread.tgid, thread.arguments[0]
    known = call or thread.waits
    return (state, call, thread.waits) if known else (state, thread.tgid)
