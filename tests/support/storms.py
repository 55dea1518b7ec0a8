"""Storms of events: two workers that make as many events of one kind as a test wants, and the places for them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.disks import file_system, loop_device
from tests.support.memory import memory_cgroup
from tests.support.witness import counted
from tests.support.workloads import Worker

NAME = f"storm{os.getpid()}"  # the workers' comm, and the name of everything else with a name
_CLONE_NEWNET = 0x40000000


@dataclass
class Place:
    """The environment of a storm, and how its events are recognised among others."""

    arguments: Sequence[object] = ()  # sys.argv[3] and so on of the workers
    params: Mapping[str, Any] = field(default_factory=dict)  # of the probe
    rows: Mapping[str, Any] = field(default_factory=dict)  # the values of columns in the storm's events
    made: Callable[[], int] | None = None  # the kernel's own count of the events, if it isn't known beforehand
    workers: str = NAME
    prepare: Callable[[], None] | None = None  # runs in a worker before anything else


@dataclass
class Storm:
    """A probe, Python for an action, and the number of `events` an action makes; `made` of a place takes precedence.

    Each of two workers performs it `each` times in a round, and `past` times to fill the probe's ring buffer and more.
    """

    probe: str
    action: str
    set_up: str = ""
    each: int = 2000
    events: int = 1
    past: int = 0
    params: Mapping[str, Any] = field(default_factory=lambda: {"comm": NAME})
    place: Callable[[Path], AbstractContextManager[Place]] | None = None
    pause_after: int = 50  # actions
    rest: str = "select.select([], [], [], pause)"  # Python that takes `pause` seconds
    last: str = "pass"  # Python at the end of a round

    @property
    def name(self) -> str:
        return self.probe.rpartition("/")[2]


_WORK = """
import select
{set_up}
pauses, counts = list(map(float, sys.argv[1].split())), list(map(int, sys.argv[2].split()))
def work():
    pause = pauses.pop(0)
    for number in range(counts.pop(0)):
        {action}
        if pause and number % {pause_after} == 0: {rest}
    {last}
"""


@dataclass
class Storming:
    """The workers of a storm, and the counts about it."""

    storm: Storm
    place: Place
    rounds: list[tuple[float, int]]
    workers: list[Worker]
    started: int = 0  # rounds
    _before: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The probe's parameters, so that it sees this storm and hardly anything else."""
        return {**self.storm.params, **self.place.params}

    def begin(self) -> None:
        """Start counting; call this once the probe is attached."""
        if self.place.made is not None:
            self._before = self.place.made()

    def round(self) -> None:
        for worker in self.workers:
            worker.start()
        for worker in self.workers:
            worker.finish()
        self.started += 1

    def made(self) -> int:
        """Events since `begin`."""
        if self.place.made is not None:
            assert self._before is not None
            return self.place.made() - self._before
        return sum(len(self.workers) * self.storm.events * count for _, count in self.rounds[: self.started])


@contextlib.contextmanager
def storming(storm: Storm, folder: Path, rounds: list[tuple[float, int]]) -> Iterator[Storming]:
    """Two workers that wait; `rounds` are the pauses and the numbers of actions of one round after another."""
    parts = {name: getattr(storm, name) for name in ("set_up", "action", "pause_after", "rest", "last")}
    code = _WORK.format(**parts)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(storm.place(folder)) if storm.place else Place()
        pauses, counts = (" ".join(map(str, each)) for each in zip(*rounds, strict=True))
        workers = [
            stack.enter_context(
                Worker(code, pauses, counts, *place.arguments, name=place.workers, prepare=place.prepare)
            )
            for _ in range(2)
        ]
        yield Storming(storm, place, rounds, workers)


# ---------------------------------------------------------------- places


@contextlib.contextmanager
def program(folder: Path, mode: int = 0o755) -> Iterator[Place]:
    """A program that does nothing, without an owner; its path."""
    path = Path(shutil.copy("/bin/true", folder / NAME))
    os.chown(path, 65534, 65534)
    path.chmod(mode)
    yield Place([path], workers="other")


@contextlib.contextmanager
def setuid_program(folder: Path) -> Iterator[Place]:
    with program(folder, 0o4755) as place:
        yield place


@contextlib.contextmanager
def on_one_cpu(folder: Path) -> Iterator[Place]:
    """Two workers that take turns on one CPU; how often each gets it is counted."""
    cpu = min(os.sched_getaffinity(0))
    with counted("sched/sched_switch", f'next_comm == "{NAME}"') as turns:
        yield Place(made=turns, prepare=lambda: os.sched_setaffinity(0, [cpu]))


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Place]:
    """A block device; its path."""
    with loop_device(folder / "disk", 1 << 20) as device:
        yield Place([device], {"device": device})


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Place]:
    """A file system; its mount point. Its rounds of writeback are counted."""
    with file_system(folder) as (device, place):
        number = os.stat(place).st_dev
        kernels = os.major(number) << 20 | os.minor(number)
        with counted("writeback/writeback_written", f"sb_dev == {kernels}") as rounds:
            yield Place([place], rows={"filesystem": device.name}, made=rounds)


@contextlib.contextmanager
def little_memory(folder: Path) -> Iterator[Place]:
    """A file larger than the memory that the workers may use; its path. The memory they have to reclaim is counted."""
    path = folder / "file"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    reclaimed = counted("vmscan/mm_vmscan_memcg_reclaim_end", f'comm == "{NAME}"')
    with memory_cgroup(limit=16 << 20) as group, reclaimed as reclaims:
        yield Place([path], made=reclaims, prepare=lambda: _join(group.procs))


@contextlib.contextmanager
def no_memory(folder: Path) -> Iterator[Place]:
    """A group in which nothing large fits; the file through which a process joins it."""
    with memory_cgroup(limit=4 << 20) as group:
        yield Place([group.procs], rows={"comm": NAME})


def _join(procs: Path) -> None:
    procs.write_text("0")


@contextlib.contextmanager
def own_network(folder: Path) -> Iterator[Place]:
    """A separate network for each worker. Its retransmissions are counted."""
    with counted("tcp/tcp_retransmit_skb", "dport == 1") as again:
        yield Place(made=again, prepare=_leave_network)


def _leave_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


@contextlib.contextmanager
def line_editor(folder: Path) -> Iterator[Place]:
    """A copy of libreadline that nobody else uses; its path."""
    library = shutil.copy(os.path.realpath(_loaded("libreadline.so.8")), folder / f"{NAME}.so")
    yield Place([library], {"binary": library})


def _loaded(library: str) -> str:
    """The path of a library, as this process finds it."""
    ctypes.CDLL(library)
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(line.split()[-1] for line in lines if library in line)
