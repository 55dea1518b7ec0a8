"""The mappings of processes, recorded as they were made, including those of ended processes.

A forked process starts with its parent's mappings. Mappings from before the recording began can be read only from the
process itself, while it lives.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

from ebpftop.kernel.memory_events import Ended, Event, Executed, File, Forked, Mapped

MOST = 1 << 16  # mappings of all processes; of the dead, those that ended first are forgotten
MOST_DEAD = 1 << 13  # processes
_MOST_OF_ONE = 2048  # mappings
_DEEPEST = 64  # forks of forks
_SLACK_NS = 1_000_000_000  # from the start of a process to its being noted
_ROUND_NS = 20_000_000  # a start that was read from /proc is rounded down


class Memory:
    """The mappings of a process since its start, or since it executed its program. `began`: boottime in ns, 0 if that
    was before the recording. `of`: the memory that it is a copy of. whole: whether nothing else can be mapped there.
    """

    __slots__ = ("began", "depth", "ended", "forked", "mappings", "of", "tgid", "whole")

    def __init__(self, tgid: int, began: int, of: Memory | None = None, *, forked: bool = False, whole: bool = False):
        self.tgid, self.began, self.of, self.forked, self.whole = tgid, began, of, forked, whole
        self.depth: int = of.depth + 1 if of is not None else 0
        self.ended = False  # its process has
        self.mappings: list[Mapped] = []

    def find(self, address: int) -> Mapped | Memory | None:
        """The mapping at an address. A memory: that of the process that has the mapping, if it still lives. None:
        unknown.
        """
        memory: Memory = self
        until: int | None = None
        while True:
            for mapping in reversed(memory.mappings):
                if mapping.start <= address < mapping.end and (until is None or mapping.time <= until):
                    return mapping
            if memory.of is None:
                return None if memory.whole or memory.covers(address) else memory
            memory, until = memory.of, memory.began

    def covers(self, address: int) -> bool:
        """Whether something was mapped there since the recording began."""
        return any(mapping.start <= address < mapping.end for mapping in self.mappings)


class Memories:
    """All records, by process. since: when the recording began (boottime in ns)."""

    def __init__(self) -> None:
        self.since = 0
        self._of: dict[int, list[Memory]] = {}  # by tgid, which is used again; in the order of their beginnings
        self._dead: deque[Memory] = deque()
        self._count = 0  # of mappings
        self._files: dict[File, File] = {}
        self._early: list[Event] = []

    def take(self, events: Iterable[Event], until: int) -> None:
        """Record events. Those later than `until` (boottime in ns) wait, because earlier ones may still arrive."""
        self._early = sorted([*self._early, *events], key=lambda event: event.time)
        ready = bisect_right(self._early, until, key=lambda event: event.time)
        now, self._early = self._early[:ready], self._early[ready:]
        for event in now:
            self._note(event)
        if self._count > MOST or len(self._dead) > MOST_DEAD:
            self._forget()

    def _note(self, event: Event) -> None:
        match event:
            case Forked(time=time, tgid=tgid, parent=parent):
                of = self._current(parent)
                deep = of.depth >= _DEEPEST
                self._begin(Memory(tgid, time, None if deep else of, forked=True, whole=deep))
            case Executed(time=time, tgid=tgid):
                self._begin(Memory(tgid, time, whole=True))
            case Mapped():
                memory = self._current(event.tgid)
                if len(memory.mappings) < _MOST_OF_ONE:
                    memory.mappings.append(event._replace(file=self._files.setdefault(event.file, event.file)))
                    self._count += 1
            case Ended(tgid=tgid):
                memory = self._current(tgid)
                memory.ended = True
                self._dead.append(memory)

    def _begin(self, memory: Memory) -> None:
        self._of.setdefault(memory.tgid, []).append(memory)

    def _current(self, tgid: int) -> Memory:
        if tgid not in self._of:
            self._begin(Memory(tgid, 0))
        return self._of[tgid][-1]

    def _forget(self) -> None:
        while self._dead and (self._count > MOST // 2 or len(self._dead) > MOST_DEAD // 2):
            ended = self._dead.popleft()
            known = self._of.get(ended.tgid, [])
            if ended in known:
                last = known.index(ended) + 1
                self._count -= sum(len(memory.mappings) for memory in known[:last])
                del known[:last]
                if not known:
                    del self._of[ended.tgid]
        if len(self._files) > MOST:
            self._files.clear()

    # ---------------------------------------------------------------- for names

    def of(self, tgid: int, start: int) -> Memory | None:
        """The memory of the last program executed by the process that started then (boottime in ns). Counts from its
        earlier programs get no names: a wrong return address could match one.
        """
        lives: list[list[Memory]] = []  # of the processes with that number, one after the other
        for memory in self._of.get(tgid, []):
            if memory.forked or not lives:
                lives.append([])
            lives[-1].insert(0, memory)
        for life in reversed(lives):
            if life[-1].forked and -_ROUND_NS <= life[-1].began - start <= _SLACK_NS:
                return life[0]
        if lives and not lives[0][-1].forked and start < self.since:
            return lives[0][0]
        return None

    def lives(self, memory: Memory) -> bool:
        """Whether its process has neither executed another program nor ended, as far as was seen."""
        return self._of.get(memory.tgid, [None])[-1] is memory and not memory.ended
