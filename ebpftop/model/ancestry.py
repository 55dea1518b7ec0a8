"""The ancestors of a process, as far as a session knows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ebpftop.frames.messages import Ancestor, Process

MOST = 64


class Family:
    """The parents among the processes of a session."""

    def __init__(self, processes: Mapping[int, Process]) -> None:
        self._by_number: dict[int, list[Process]] = {}
        for each in processes.values():
            self._by_number.setdefault(each.tgid, []).append(each)

    def parent(self, process: Process) -> Process | None:
        """Of the processes with the parent's pid, the last one that began before the child."""
        if process.ppid <= 0:
            return None
        older = [each for each in self._by_number.get(process.ppid, ()) if each.start_ns <= process.start_ns]
        found = max(older, key=lambda each: each.start_ns, default=None)
        return None if found is None or found.id == process.id else found


def ancestors(process: Process, processes: Mapping[int, Process]) -> list[Ancestor]:
    """The parent first. If a parent isn't known, the list ends with the name that came with the child."""
    return list(_ancestors(process, Family(processes)))


def _ancestors(process: Process, family: Family) -> Iterator[Ancestor]:
    for _ in range(MOST):
        if process.ppid <= 0:
            return
        parent = family.parent(process)
        if parent is None:
            yield Ancestor(tgid=process.ppid, start_ns=0, comm=process.parent)
            return
        yield Ancestor(tgid=parent.tgid, start_ns=parent.start_ns, comm=parent.comm)
        process = parent
