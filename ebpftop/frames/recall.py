"""The frames that bring a new consumer up to date: the stream's present state follows from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from ebpftop.frames.identities import Identities
from ebpftop.frames.marks import MARKS
from ebpftop.frames.messages import (
    AnyFrame,
    Catalog,
    Cost,
    Detached,
    Detaching,
    Events,
    Hello,
    Host,
    Hosts,
    Loaded,
    Loading,
    Mark,
    Processes,
    Rejected,
    Snapshot,
    Stacks,
    Threads,
)
from ebpftop.frames.size import size

if TYPE_CHECKING:
    from ebpftop.frames.stacks import KnownStacks

RUNS = 256  # finished ones
_BYTES = 64 << 20  # of frames of one kind and run; the last two are kept whatever they hold


class _Last:
    """The last frames of one kind and run."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._size = 0
        self._frames: deque[tuple[int, int, AnyFrame]] = deque()

    def add(self, order: int, frame: AnyFrame, size: int) -> None:
        self._frames.append((order, size, frame))
        self._size += size
        while len(self._frames) > self._count or (len(self._frames) > 2 and self._size > _BYTES):
            self._size -= self._frames.popleft()[1]

    def __iter__(self) -> Iterator[tuple[int, AnyFrame]]:
        return ((order, frame) for order, _, frame in self._frames)


class Recall:
    """Takes every frame; `frames` returns the state, beginning with the `Hello`.

    history: how many snapshots, costs and event frames of each run are kept. hosts: how many host frames. Of marks and
    finished runs the newest are kept, of everything else only the latest. Notices and refusals are transient, and not
    kept.
    """

    def __init__(self, history: int = 2, hosts: int = 2) -> None:
        self._history, self._hosts = history, hosts
        self._begin(None)

    def _begin(self, hello: Hello | None) -> None:
        self._hello = hello
        self._catalog: Catalog | None = None
        self._processes = Identities()
        self._stacks: KnownStacks | None = None  # with the first stack, as it takes NumPy
        self._order = 0
        self._states: dict[tuple[str, int], tuple[int, AnyFrame]] = {}  # one per kind and run
        self._recent: dict[tuple[str, int], _Last] = {}
        self._finished: dict[int, None] = {}  # runs, the first one first
        self._marks: deque[tuple[int, AnyFrame]] = deque(maxlen=MARKS)

    def add(self, frame: AnyFrame) -> None:
        """Keep a frame, and drop those that it makes obsolete."""
        self._order += 1
        match frame:
            case Hello():
                self._begin(frame)
            case Catalog():
                self._catalog = frame
            case Processes():
                self._processes.remember(frame.processes)
            case Stacks():
                self._learn(frame)
            case Loading() | Loaded() | Rejected() | Detaching() | Detached():
                self._states[type(frame).__name__, frame.run] = (self._order, frame)
                self._make_room(frame)
            case Snapshot():
                self._keep(frame, frame.run, sum(map(size, frame.maps.values())))
            case Events():
                self._keep(frame, frame.run, size(frame.columns))
            case Cost():
                self._keep(frame, frame.run, 0)
            case Host():
                self._keep(frame, 0, 0)
            case Threads() | Hosts():
                self._states[type(frame).__name__, 0] = (self._order, frame)
            case Mark():
                self._marks.append((self._order, frame))

    def _make_room(self, frame: Loading | Loaded | Rejected | Detaching | Detached) -> None:
        """Forget the run that finished first, if there are too many."""
        if isinstance(frame, Rejected | Detached):
            self._finished[frame.run] = None
        if len(self._finished) > RUNS:
            run = next(iter(self._finished))
            del self._finished[run]
            for known in (self._states, self._recent):
                for key in [key for key in known if key[1] == run and key[0] != Host.__name__]:
                    del known[key]

    def _learn(self, frame: Stacks) -> None:
        if self._stacks is None:
            from ebpftop.frames.stacks import KnownStacks

            self._stacks = KnownStacks()
        self._stacks.take(frame)

    def _keep(self, frame: AnyFrame, run: int, size: int) -> None:
        count = self._hosts if isinstance(frame, Host) else self._history
        self._recent.setdefault((type(frame).__name__, run), _Last(count)).add(self._order, frame, size)

    def frames(self, *, live: bool | None = None) -> list[AnyFrame]:
        """The frames in their original order; empty before a `Hello`. `live` replaces the hello's value."""
        if self._hello is None:
            return []
        first: list[AnyFrame] = [self._hello if live is None else msgspec.structs.replace(self._hello, live=live)]
        if self._catalog is not None:
            first.append(self._catalog)
        if self._processes:
            first.append(Processes(processes=list(self._processes.values())))
        if self._stacks is not None:
            first.append(self._stacks.as_frame())
        rest = [*self._states.values(), *self._marks, *(pair for last in self._recent.values() for pair in last)]
        return first + [frame for _, frame in sorted(rest, key=lambda pair: pair[0])]
