"""Functions of processes that have ended, by their mappings recorded while they lived.

Names come from the files that the process had mapped or, for memory inherited by fork, from the parent if it still
lives. Names of files are kept, so the next process of the same program needs no lookup. They hold for a mapping only if
the file has not changed since; that is checked again for each process that mapped it later.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from ebpftop.base.gaps import GONE
from ebpftop.collector.census import Census
from ebpftop.collector.memories import Memories, Memory
from ebpftop.collector.ranges import Ranges, shifted
from ebpftop.handover.protocol import Addresses, Offsets, ProcessSymbols, SymbolRange
from ebpftop.kernel.memory_events import File, Mapped

MOST_FILES = 512  # whose names are kept
MOST_WAITING = 1 << 16  # addresses
MOST_AT_ONCE = 128  # files, and processes, of one request
_SLACK_NS = 10_000_000  # times of files are those of the last tick

Learn = Callable[[SymbolRange], None]


class _Waiting(NamedTuple):
    """place: in the source; it lies `shift` bytes before the address. mapped: when (wall clock, ns)."""

    place: int
    shift: int
    mapped: int
    learn: Learn


class _Source:
    """A file, or the memory of a living process. For a file, `checked` is the time (boottime in ns) up to which it is
    known to have this version, which is its modification time (wall clock, ns).
    """

    def __init__(self) -> None:
        self.names = Ranges()
        self.asked: set[int] = set()
        self.waiting: list[_Waiting] = []
        self.checked = self.version = 0


class Departed:
    """catch_up: brings `memories` up to date."""

    def __init__(self, census: Census) -> None:
        self._census = census
        self.memories = Memories()
        self.catch_up: Callable[[], None] = lambda: None
        self._files: OrderedDict[File, _Source] = OrderedDict()
        self._living: dict[Memory, _Source] = {}
        self._numbers = count(-1, -1)
        self._requested: dict[int, tuple[_Source, list[int], int]] = {}  # with the places, and when
        self.waiting = 0  # addresses

    def begin(self, memories: Memories) -> None:
        """Discard everything recorded earlier."""
        self.memories = memories
        self.waiting -= sum(len(source.waiting) for source in self._living.values())
        self._living.clear()

    def want(self, number: int, address: int, learn: Learn) -> None:
        """Call `learn` once the function at an address in this ended process is known: now, later or never."""
        identity = self._census.known(number)
        if identity is None or self.waiting >= MOST_WAITING:
            return
        memory = self.memories.of(identity.tgid, identity.start)
        found = memory.find(address) if memory is not None else None
        if isinstance(found, Mapped):
            self._in_file(found, address, learn)
        elif found is not None:
            self._in_process(found, address, learn)

    def _in_file(self, found: Mapped, address: int, learn: Learn) -> None:
        path = found.file.path
        if not found.file.inode or not path.startswith(b"/"):
            return
        source = self._files.setdefault(found.file, _Source())
        self._files.move_to_end(found.file)
        shift = found.start - found.offset
        waits = _Waiting(address - shift, shift, found.time + time.time_ns() - _now(), learn)
        if source.checked >= found.time and waits.place in source.asked:
            _tell(source, waits)
            return
        module = path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
        learn(SymbolRange(start=address, end=address + 1, base=shift, name="", module=module, why=GONE))
        self._wait(source, waits)
        while len(self._files) > MOST_FILES:
            self.waiting -= len(self._files.popitem(last=False)[1].waiting)

    def _in_process(self, memory: Memory, address: int, learn: Learn) -> None:
        if memory not in self._living and (len(self._living) >= MOST_FILES or not self._lives(memory)):
            return
        source = self._living.setdefault(memory, _Source())
        waits = _Waiting(address, 0, 0, learn)
        if address in source.asked:
            _tell(source, waits)
        else:
            self._wait(source, waits)

    def _wait(self, source: _Source, waits: _Waiting) -> None:
        source.waiting.append(waits)
        self.waiting += 1

    def _lives(self, memory: Memory) -> bool:
        identity = self._census.living(memory.tgid)
        return identity is not None and identity.start < self.memories.since and self.memories.lives(memory)

    def request(self) -> tuple[list[Addresses], list[Offsets]]:
        """The wanted lookups, as parts of a request."""
        processes: list[Addresses] = []
        files: list[Offsets] = []
        for memory, source in list(self._living.items()):
            if not self._lives(memory):
                self.waiting -= len(source.waiting)
                del self._living[memory]
            elif source.waiting and len(processes) < MOST_AT_ONCE:
                identity = self._census.living(memory.tgid)
                assert identity is not None
                number, places = self._request(source)
                start = identity.start
                processes.append(Addresses(id=number, tgid=memory.tgid, start_ns=start, addresses=places))
        for file, source in self._files.items():
            if source.waiting and len(files) < MOST_AT_ONCE:
                number, places = self._request(source)
                files.append(Offsets(id=number, path=file.path, device=file.device, inode=file.inode, offsets=places))
        return processes, files

    def _request(self, source: _Source) -> tuple[int, list[int]]:
        number = next(self._numbers)
        places = sorted({each.place for each in source.waiting} - source.asked)
        self._requested[number] = source, places, _now()
        return number, places

    def answered(self, processes: Iterable[ProcessSymbols]) -> None:
        """Take answers; lookups without an answer won't get one."""
        answers = {each.id: each for each in processes}
        requested, self._requested = self._requested, {}
        for number, (source, places, asked_at) in requested.items():
            answer = answers.get(number)
            waiting, source.waiting = source.waiting, []
            self.waiting -= len(waiting)
            if answer is None:
                continue
            version = int(answer.perf_map) if answer.perf_map.isdecimal() else 0
            if version != source.version:
                source.names, source.asked, source.version = Ranges(), set(), version
            source.checked = asked_at
            source.names.add(answer.ranges)
            source.asked |= {*places}
            for each in waiting:
                if each.place in source.asked:
                    _tell(source, each)
                else:
                    self._wait(source, each)


def _tell(source: _Source, waits: _Waiting) -> None:
    """Report the name, unless the file has changed since it was mapped."""
    known = source.names.find(waits.place)
    if known is not None and (not waits.mapped or source.version <= waits.mapped + _SLACK_NS):
        waits.learn(shifted(known, waits.shift))


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
