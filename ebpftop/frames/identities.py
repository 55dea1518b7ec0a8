"""The identities of a stream, as many as fit into a given number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from sys import getsizeof

from ebpftop.base import bounds
from ebpftop.frames.messages import FOLDED, Process

_STRUCT = 380  # bytes of a Process and its place in the dict, without its texts


class Identities(dict[int, Process]):
    """By id, the newest last.

    bytes: the memory they take. Beyond `limit`, half of it is freed: the identities that ended first are forgotten,
    then others.
    """

    def __init__(self, limit: int = bounds.PROCESSES) -> None:
        super().__init__()
        self.limit = limit
        self.bytes = 0

    def remember(self, processes: Iterable[Process]) -> None:
        for process in processes:
            self._forget(process.id)
            self[process.id] = process
            self.bytes += _size(process)
        if self.bytes > self.limit:
            self._make_room([number for number, each in self.items() if each.ended_ns is not None])
        if self.bytes > self.limit:
            self._make_room([*self])

    def _make_room(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if self.bytes <= self.limit // 2:
                return
            if number != FOLDED:
                self._forget(number)

    def _forget(self, number: int) -> None:
        process = self.pop(number, None)
        if process is not None:
            self.bytes -= _size(process)


class Foreseen(Mapping[int, Process]):
    """Identities, and behind them those that were read ahead: a process that is in both is as it was here."""

    def __init__(self, known: Identities, ahead: Callable[[], Mapping[int, Process]]) -> None:
        self._known, self._ahead = known, ahead

    def __getitem__(self, number: int) -> Process:
        return self._known[number] if number in self._known else self._ahead()[number]

    def __iter__(self) -> Iterator[int]:
        return iter({**self._ahead(), **self._known})

    def __len__(self) -> int:
        return len({**self._ahead(), **self._known})


def _size(process: Process) -> int:
    who = (process.parent, process.comm, process.command, process.user)
    where = (process.cgroup, process.container, process.pod, process.image)
    return _STRUCT + sum(getsizeof(text) for text in who + where if text)  # there is one empty text for all
